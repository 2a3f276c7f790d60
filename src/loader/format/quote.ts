/** What a file says, as messages repeat it: names may be megabytes long, and tell a terminal what to do. */

const MAX_CHARACTERS = 200;

/** A name in quotes, without control characters. */
export function quote(name: string): string {
  // JSON escapes those below 0x20.
  return printable(JSON.stringify(shorten(name)));
}

/** A whole name on one line of a list. */
export function printable(name: string): string {
  return name.replaceAll(/\p{Cc}/gu, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

export function shorten(text: string): string {
  return text.length <= MAX_CHARACTERS ? text : `${text.slice(0, MAX_CHARACTERS)}…`;
}
