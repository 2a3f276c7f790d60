/** A time for messages, in seconds. */
export const seconds = (ms: number): string => String(Math.round(ms / 100) / 10);
