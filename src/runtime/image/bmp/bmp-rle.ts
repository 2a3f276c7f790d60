const [END_OF_ROW, END, MOVE] = [0, 1, 2];

/**
 * Colour indices of pixels in runs, in the order in which they are stored, as Pillow counts them: a run ends with its row, pixels
 * that stand as they are go on into the next, and what is jumped over has index 0.
 * @param nibbles two pixels a byte
 * @throws RangeError where pixels are missing
 */
export function unpackRuns(
  bytes: Uint8Array,
  begin: number,
  { width, height, nibbles }: { readonly width: number; readonly height: number; readonly nibbles: boolean },
): Uint8Array {
  const indices = new Uint8Array(width * height);
  let [at, written, column] = [begin, 0, 0];
  const indexAt = (from: number, pixel: number): number => {
    if (!nibbles) return bytes[from + pixel] ?? 0;
    const pair = bytes[from + (pixel >> 1)] ?? 0;
    return pixel % 2 === 0 ? pair >> 4 : pair & 15;
  };
  while (written < indices.length) {
    if (at + 2 > bytes.length) throw new RangeError(TOO_EARLY);
    const [count = 0, value = 0] = bytes.subarray(at, at + 2);
    at += 2;
    if (count > 0) {
      const pixels = Math.min(count, Math.max(0, width - column));
      // A run of nibbles is of two colours in turns, and of bytes of one.
      for (let pixel = 0; pixel < pixels; pixel++) indices[written++] = indexAt(at - 1, nibbles ? pixel % 2 : 0);
      column += pixels;
    } else if (value === END_OF_ROW) {
      written = Math.ceil(written / width) * width;
      column = 0;
    } else if (value === END) {
      break;
    } else if (value === MOVE) {
      if (at + 2 > bytes.length) throw new RangeError(TOO_EARLY);
      const [right = 0, up = 0] = bytes.subarray(at, at + 2);
      at += 2;
      written += Math.min(indices.length - written, right + up * width);
      column = written % width;
    } else {
      const pixels = Math.min(indices.length - written, value);
      const pixelBytes = nibbles ? Math.ceil(pixels / 2) : pixels;
      if (at + pixelBytes > bytes.length) throw new RangeError(TOO_EARLY);
      for (let pixel = 0; pixel < pixels; pixel++) indices[written++] = indexAt(at, pixel);
      at += pixelBytes;
      at += at % 2;
      column += value;
    }
  }
  if (written < indices.length) throw new RangeError(TOO_EARLY);
  return indices;
}

const TOO_EARLY = 'its pixels end too early';
