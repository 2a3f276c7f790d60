import type { Dtype } from '../../tensor/dtype.js';
import { convertFloats, isFloatDtype } from '../convert/convert-floats.js';
import { DTYPE_BITS } from '../../tensor/dtype.js';

/**
 * Of 8-bit floats: which bytes are infinite or not a number. Those of other sizes have no such.
 * Source: OCP's 8-bit floating point specification 1.0 for E5M2, E4M3 and E8M0; ml_dtypes for the FNUZ kinds.
 */
const IN_A_BYTE: { readonly [dtype in Dtype]?: (byte: number) => boolean } = {
  F8_E5M2: (byte) => (byte & 0x7f) >= 0x7c,
  F8_E4M3: (byte) => (byte & 0x7f) === 0x7f,
  F8_E8M0: (byte) => byte === 0xff,
  F8_E5M2FNUZ: (byte) => byte === 0x80,
  F8_E4M3FNUZ: (byte) => byte === 0x80,
};

/** Values that are infinite or not a number among whole values of any dtype; integers have none. A complex one is two. */
export function countNonFinite(bytes: Uint8Array, dtype: Dtype): number {
  const isUnusual = IN_A_BYTE[dtype];
  if (isUnusual !== undefined) return bytes.reduce((count, byte) => count + (isUnusual(byte) ? 1 : 0), 0);
  if (dtype === 'F64') return countIn(new Float64Array(new Uint8Array(bytes).buffer));
  if (dtype === 'C64') return countIn(new Float32Array(new Uint8Array(bytes).buffer));
  if (!isFloatDtype(dtype)) return 0;
  const values = new Float32Array((bytes.length * 8) / DTYPE_BITS[dtype]);
  convertFloats(bytes, dtype, new Uint8Array(values.buffer), 'F32');
  return countIn(values);
}

function countIn(values: Float32Array | Float64Array): number {
  let count = 0;
  for (const value of values) if (!Number.isFinite(value)) count++;
  return count;
}
