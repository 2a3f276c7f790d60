/** What a file says, as messages repeat it: names may be megabytes long, and tell a terminal what to do. */

const MAX_CHARACTERS = 200;

/** A name in quotes, without control characters. */
export function quote(name: string): string {
  // JSON escapes those below 0x20.
  return JSON.stringify(shorten(name)).replaceAll(/\p{Cc}/gu, (c) => `\\u00${c.charCodeAt(0).toString(16)}`);
}

export function shorten(text: string): string {
  return text.length <= MAX_CHARACTERS ? text : `${text.slice(0, MAX_CHARACTERS)}…`;
}
