/**
 * Whether the bytes of a file are a JPEG of three channels of 8 bits, as nearly all are: there is nothing more to learn of
 * it before it is decoded. False where its header is not as plain as most.
 */
export function isColourJpeg(bytes: Uint8Array): boolean {
  const header = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 2 || header.getUint16(0) !== START_OF_IMAGE) return false;
  for (let at = 2; at + FRAME_BYTES <= bytes.length; at += 2 + header.getUint16(at + 2)) {
    const marker = header.getUint16(at);
    if (isFrame(marker)) return header.getUint8(at + 4) === 8 && header.getUint8(at + 9) === 3;
    if (marker < FIRST_MARKER) return false;
  }
  return false;
}

const START_OF_IMAGE = 0xffd8;
const FIRST_MARKER = 0xff01;
/** Marker, length, precision, height, width, channels. */
const FRAME_BYTES = 10;

/** Start of frame: SOF0 to SOF15, of which three numbers are other markers. */
function isFrame(marker: number): boolean {
  return marker >= 0xffc0 && marker <= 0xffcf && marker !== 0xffc4 && marker !== 0xffc8 && marker !== 0xffcc;
}
