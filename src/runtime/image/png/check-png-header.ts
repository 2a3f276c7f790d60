import { crc32 } from 'node:zlib';

/**
 * Pillow compares the checksum of every chunk before the pixels; libpng lets those pass that it does not need.
 * @throws Error where one differs, RangeError where the file ends first
 */
export function checkPngHeader(bytes: Uint8Array): void {
  const file = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = SIGNATURE_BYTES; file.getUint32(at + 4) !== IMAGE_DATA;) {
    const end = at + 8 + file.getUint32(at);
    if (file.getUint32(end) !== crc32(bytes.subarray(at + 4, end))) {
      throw new Error(`the checksum of its chunk at byte ${at} is wrong`);
    }
    at = end + 4;
  }
}

const SIGNATURE_BYTES = 8;
/** "IDAT". */
const IMAGE_DATA = 0x49444154;
