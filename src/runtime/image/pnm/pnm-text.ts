/** Numbers as a PNM has them: of decimal digits, between white space. A comment is from "#" to the end of its line. */
export class PnmText {
  /** Of the next byte. */
  at: number;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array, begin: number) {
    this.#bytes = bytes;
    this.at = begin;
  }

  /** As Pillow reads it: a comment inside a number does not end it, and the byte of white space behind it is taken. */
  number(): number {
    let digits = '';
    for (let byte = this.#take(); byte !== undefined; byte = this.#take()) {
      if (!isSpace(byte)) digits += String.fromCharCode(byte);
      else if (digits !== '') break;
      if (digits.length > MOST_DIGITS) throw new Error(`it has ${JSON.stringify(digits)} where a number ought to be`);
    }
    if (digits === '') throw new RangeError('it ends where a number ought to be');
    if (!/^\d+$/.test(digits)) throw new Error(`it has ${JSON.stringify(digits)} where a number ought to be`);
    return Number(digits);
  }

  /** The next byte that is no white space. */
  letter(): number | undefined {
    let byte = this.#take();
    while (byte !== undefined && isSpace(byte)) byte = this.#take();
    return byte;
  }

  /** The next byte that is not in a comment. */
  #take(): number | undefined {
    let byte = this.#bytes[this.at++];
    while (byte === COMMENT) {
      while (byte !== undefined && byte !== LINE_FEED && byte !== RETURN) byte = this.#bytes[this.at++];
      byte = this.#bytes[this.at++];
    }
    return byte;
  }
}

const MOST_DIGITS = 10;
const [COMMENT, LINE_FEED, RETURN] = [0x23, 0x0a, 0x0d];

export const isSpace = (byte: number): boolean => byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);
