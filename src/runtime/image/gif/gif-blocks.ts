/** Pillow reads a file piece by piece, and sees the end of it only where it asks for one more. */
const PIECE_BYTES = 1 << 16;

/** The bytes of a picture's sub-blocks, as Pillow's decoder takes them out of a file: none of a block that is not whole. */
export class GifBlocks {
  readonly #file: Uint8Array;
  #at: number;
  #blockEnd: number;
  #pieceEnd: number;

  /** @param begin of the first block's length */
  constructor(file: Uint8Array, begin: number) {
    this.#file = file;
    [this.#at, this.#blockEnd, this.#pieceEnd] = [begin, begin, begin];
  }

  /**
   * A block of no bytes, which ends a picture, does not end it for Pillow.
   * @throws RangeError where the file ends first
   */
  next(): number {
    while (this.#at === this.#blockEnd) {
      const end = this.#at + 1 + (this.#file[this.#at] ?? 0);
      while (end > this.#pieceEnd) this.nextPiece();
      [this.#at, this.#blockEnd] = [this.#at + 1, end];
    }
    return this.#file[this.#at++] ?? 0;
  }

  /** @throws RangeError where the file has ended */
  nextPiece(): void {
    if (this.#pieceEnd >= this.#file.length) throw new RangeError('its pixels end too early');
    this.#pieceEnd = Math.min(this.#file.length, this.#pieceEnd + PIECE_BYTES);
  }
}
