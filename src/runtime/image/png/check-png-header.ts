import { crc32 } from 'node:zlib';

/**
 * Pillow compares the checksum of every chunk before the pixels; libpng lets those pass that it does not need. Of pixels that are
 * an animation's first frame Pillow decodes as much as that frame has, and libpng all of them: they ought to be as many.
 * @throws Error where one differs, RangeError where the file ends first
 */
export function checkPngHeader(bytes: Uint8Array): void {
  const file = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const long = (at: number): number => file.getUint32(at);
  for (let at = SIGNATURE_BYTES; long(at + 4) !== IMAGE_DATA;) {
    const end = at + 8 + long(at);
    if (long(end) !== crc32(bytes.subarray(at + 4, end))) {
      throw new Error(`the checksum of its chunk at byte ${at} is wrong`);
    }
    if (long(at + 4) === FRAME_CONTROL) {
      const [width, height, left, top] = [12, 16, 20, 24].map((offset) => long(at + offset));
      const isWhole = width === long(WIDTH_AT) && height === long(WIDTH_AT + 4) && left === 0 && top === 0;
      if (!isWhole) throw new Error('the first frame of its animation is not the whole picture');
    }
    at = end + 4;
  }
}

const SIGNATURE_BYTES = 8;
/** Behind the length and the name of the first chunk. */
const WIDTH_AT = SIGNATURE_BYTES + 8;
/** "IDAT" and "fcTL". */
const [IMAGE_DATA, FRAME_CONTROL] = [0x49444154, 0x6663544c];
