/**
 * Joins tokens of single bytes (`<0x0A>`) to characters. As tokenizers 0.23 does it, a run of them that is not UTF-8 as a
 * whole, because an answer ended within a character, is a replacement character for each byte.
 */
export function decodeByteTokens(tokens: readonly string[]): string[] {
  const texts: string[] = [];
  let bytes: number[] = [];
  const flush = (): void => {
    if (bytes.length > 0) texts.push(textOf(bytes));
    bytes = [];
  };
  for (const token of tokens) {
    const [, hex] = BYTE_TOKEN.exec(token) ?? [];
    if (hex !== undefined) bytes.push(Number.parseInt(hex, 16));
    else {
      flush();
      texts.push(token);
    }
  }
  flush();
  return texts;
}

const BYTE_TOKEN = /^<0x([0-9a-f]{2})>$/i;
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function textOf(bytes: readonly number[]): string {
  try {
    return UTF8.decode(Uint8Array.from(bytes));
  } catch {
    return '\ufffd'.repeat(bytes.length);
  }
}
