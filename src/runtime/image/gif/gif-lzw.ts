import type { GifBlocks } from './gif-blocks.js';

/** Codes grow to this many bits. */
const MOST_BITS = 12;
const MOST_CODES = 1 << MOST_BITS;

/**
 * Undoes GIF's LZW until `target` is full; what follows is not looked at. Codes that no encoder writes count as they do for
 * Pillow, whose table takes what a code means when it is read.
 * @param rootBits bits of a colour index, 0 to 12
 * @throws RangeError where the data ends too early or names a code that there is not yet
 */
export function unpackLzw(blocks: GifBlocks, rootBits: number, target: Uint8Array): void {
  const clear = 1 << rootBits;
  const end = clear + 1;
  // Code -> the code that it goes on from, its last index, its length.
  const prefix = new Uint16Array(MOST_CODES);
  const suffix = new Uint8Array(MOST_CODES);
  const length = new Uint16Array(MOST_CODES);
  for (let index = 0; index < clear; index++) [suffix[index], length[index]] = [index, 1];
  let [bits, next, previous, first] = [rootBits + 1, end + 1, -1, 0];
  let [held, heldBits, written] = [0, 0, 0];
  while (written < target.length) {
    for (; heldBits < bits; heldBits += 8) held |= blocks.next() << heldBits;
    const code = held & ((1 << bits) - 1);
    held >>>= bits;
    heldBits -= bits;
    if (code === clear) {
      [bits, next, previous] = [rootBits + 1, end + 1, -1];
      continue;
    }
    if (code === end) {
      // Pillow goes on behind it where there is a piece of the file that it has not read.
      blocks.nextPiece();
      continue;
    }
    const isNew = code === next && previous >= 0;
    if (code > (previous < 0 ? clear : next) || (isNew ? previous : code) >= MOST_CODES) {
      throw new RangeError('a code of its pixels is not known yet');
    }
    // From the last index back to the first; what is beyond the target is not stored.
    const size = isNew ? (length[previous] ?? 0) + 1 : (length[code] ?? 0);
    let [at, from] = [written + size - 1, code];
    if (isNew) {
      if (at < target.length) target[at] = first;
      [at, from] = [at - 1, previous];
    }
    for (; at >= written; at--, from = prefix[from] ?? 0) if (at < target.length) target[at] = suffix[from] ?? 0;
    first = target[written] ?? 0;
    written += size;
    if (previous >= 0 && next < MOST_CODES) {
      [prefix[next], suffix[next], length[next]] = [previous, first, (length[previous] ?? 0) + 1];
      next++;
      if (next === 1 << bits && bits < MOST_BITS) bits++;
    }
    previous = code;
  }
}
