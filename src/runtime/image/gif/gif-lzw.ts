/** Codes grow to this many bits. */
const MOST_BITS = 12;

/**
 * Undoes GIF's LZW until `target` is full; what follows is not looked at.
 * @param data sub-blocks joined, without the byte that says `rootBits`
 * @param rootBits bits of a colour index, 0 to 11
 * @throws RangeError where the data ends too early or names a code that there is not yet
 */
export function unpackLzw(data: Uint8Array, rootBits: number, target: Uint8Array): void {
  const clear = 1 << rootBits;
  const end = clear + 1;
  // Code -> the code that it goes on from, its last index, its first index, its length.
  const prefix = new Uint16Array(1 << MOST_BITS);
  const suffix = new Uint8Array(1 << MOST_BITS);
  const head = new Uint8Array(1 << MOST_BITS);
  const length = new Uint16Array(1 << MOST_BITS);
  for (let index = 0; index < clear; index++) {
    suffix[index] = index;
    head[index] = index;
    length[index] = 1;
  }
  let [bits, next, previous] = [rootBits + 1, end + 1, -1];
  let [held, heldBits, read, written] = [0, 0, 0, 0];
  while (written < target.length) {
    while (heldBits < bits) {
      if (read >= data.length) throw new RangeError('its pixels end too early');
      held |= (data[read++] ?? 0) << heldBits;
      heldBits += 8;
    }
    const code = held & ((1 << bits) - 1);
    held >>>= bits;
    heldBits -= bits;
    if (code === clear) {
      [bits, next, previous] = [rootBits + 1, end + 1, -1];
      continue;
    }
    if (code === end) throw new RangeError('its pixels end too early');
    if (code > next || (previous < 0 && code > end) || (code === next && previous < 0)) {
      throw new RangeError('a code of its pixels is not known yet');
    }
    if (previous >= 0 && next < 1 << MOST_BITS) {
      prefix[next] = previous;
      head[next] = head[previous] ?? 0;
      suffix[next] = head[code === next ? previous : code] ?? 0;
      length[next] = (length[previous] ?? 0) + 1;
      next++;
      if (next === 1 << bits && bits < MOST_BITS) bits++;
    }
    // From the last index back to the first; what is beyond the target is not stored.
    const size = length[code] ?? 0;
    for (let at = written + size - 1, from = code; at >= written; at--, from = prefix[from] ?? 0) {
      if (at < target.length) target[at] = suffix[from] ?? 0;
    }
    written += size;
    previous = code;
  }
}
