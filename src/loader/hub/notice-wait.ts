import type { HubSettings } from './hub-settings.js';

/** A wait that is shorter is nothing to speak of. */
const NOTICE_MS = 3000;

/** Says what is waited for, once it takes some seconds, unless it is disposed before. */
export function noticeWait({ onWait }: Pick<HubSettings, 'onWait'>, what: string): Disposable {
  const timer = onWait === undefined ? undefined : setTimeout(() => onWait(what), NOTICE_MS);
  return { [Symbol.dispose]: () => clearTimeout(timer) };
}

/** A time for messages, in seconds. */
export const seconds = (ms: number): string => String(Math.round(ms / 100) / 10);
