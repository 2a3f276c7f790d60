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

  /**
   * Pillow looks how long the last word is of each piece that it reads, also where its pixels have ended before.
   * @param begin of the first piece
   */
  checkLastWord(begin: number): void {
    const end = begin + Math.ceil((this.at - begin) / PIECE_BYTES) * PIECE_BYTES;
    let letters = 0;
    while (this.at < end) {
      const byte = this.#take();
      if (byte === undefined) break;
      letters = isSpace(byte) ? 0 : letters + 1;
    }
    if (letters > MOST_DIGITS) throw new Error(`it ends with a word of ${letters} letters where a number ought to be`);
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
const PIECE_BYTES = 1 << 20;
const [COMMENT, LINE_FEED, RETURN] = [0x23, 0x0a, 0x0d];

export const isSpace = (byte: number): boolean => byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);
