import type { Shortlist } from '../../../generation/shortlist.js';
import { HEAD_BYTES, LISTED, SHORTLIST_BYTES } from '../../../device/kernels/shortlists.js';

/**
 * @param bytes `[rows, SHORTLIST_BYTES]`
 * @param divisor of logits in its sum
 */
export function readShortlist(bytes: Uint8Array, row: number, divisor: number): Shortlist {
  const own = new DataView(bytes.buffer, bytes.byteOffset + row * SHORTLIST_BYTES, SHORTLIST_BYTES);
  const greatest = own.getFloat32(0, true);
  const count = own.getUint32(16, true);
  const listed = {
    isFinite: own.getUint32(20, true) === 1,
    logSum: Math.fround(greatest / divisor) + Math.log(own.getFloat64(8, true)),
  };
  if (count > LISTED) return { ...listed, row: null };
  const listedFrom = own.byteOffset + HEAD_BYTES;
  const ids = new Int32Array(own.buffer, listedFrom, count).slice();
  const values = new Float32Array(own.buffer, listedFrom + 4 * LISTED, count).slice();
  return { ...listed, row: { ids, values, least: own.getFloat32(4, true) } };
}
