/** Stored floats of any dtype that has whole bytes, as numbers of JavaScript: for looking at, where nothing is to be fast. */
import { DTYPE_BITS, type Dtype } from '../../tensor/dtype.js';
import { convertFloats, isFloatDtype } from '../convert/convert-floats.js';

interface SmallFloat {
  readonly mantissaBits: number;
  readonly bias: number;
  /** Which bytes are infinite or not a number; the bits of the others mean what those of larger floats do. */
  readonly special: (byte: number) => number | null;
}

const nanAt = (isNan: (byte: number) => boolean) => (byte: number) => (isNan(byte) ? Number.NaN : null);

/**
 * Source: OCP's 8-bit floating point specification 1.0 for E5M2 and E4M3 (of which safetensors has the finite kind), ml_dtypes for
 * the FNUZ kinds.
 */
const SMALL: { readonly [dtype in Dtype]?: SmallFloat } = {
  F8_E5M2: {
    mantissaBits: 2,
    bias: 15,
    special: (byte) => {
      const magnitude = byte & 0x7f;
      if (magnitude === 0x7c) return byte < 0x80 ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
      return magnitude > 0x7c ? Number.NaN : null;
    },
  },
  F8_E4M3: { mantissaBits: 3, bias: 7, special: nanAt((byte) => (byte & 0x7f) === 0x7f) },
  F8_E5M2FNUZ: { mantissaBits: 2, bias: 16, special: nanAt((byte) => byte === 0x80) },
  F8_E4M3FNUZ: { mantissaBits: 3, bias: 8, special: nanAt((byte) => byte === 0x80) },
};

/** The value of each byte. */
const TABLES: ReadonlyMap<Dtype, Float32Array> = new Map([
  ...Object.entries(SMALL).map(([dtype, small]): [Dtype, Float32Array] => [
    dtype as Dtype,
    Float32Array.from({ length: 256 }, (_, byte) => small.special(byte) ?? usualValue(byte, small)),
  ]),
  // A power of two, without a sign.
  ['F8_E8M0', Float32Array.from({ length: 256 }, (_, byte) => (byte === 0xff ? Number.NaN : 2 ** (byte - 127)))],
]);

function usualValue(byte: number, { mantissaBits, bias }: SmallFloat): number {
  const one = 1 << mantissaBits;
  const exponent = (byte & 0x7f) >> mantissaBits;
  const mantissa = byte & (one - 1);
  const magnitude = (exponent === 0 ? mantissa : one + mantissa) * 2 ** (Math.max(exponent, 1) - bias - mantissaBits);
  return byte < 0x80 ? magnitude : -magnitude;
}

/** Whether `floatValues` knows the dtype: not complex numbers, nor floats that share bytes. */
export function hasFloatValues(dtype: Dtype): boolean {
  return isFloatDtype(dtype) || dtype === 'F64' || TABLES.has(dtype);
}

/** @throws Blip2Error `CONVERSION_UNSUPPORTED` for any other dtype than those of `hasFloatValues` */
export function floatValues(bytes: Uint8Array, dtype: Dtype): Float32Array | Float64Array {
  const table = TABLES.get(dtype);
  if (table !== undefined) return Float32Array.from(bytes, (byte) => table[byte] ?? Number.NaN);
  if (dtype === 'F64') return new Float64Array(new Uint8Array(bytes).buffer);
  const values = new Float32Array((bytes.length * 8) / DTYPE_BITS[dtype]);
  convertFloats(bytes, dtype, new Uint8Array(values.buffer), 'F32');
  return values;
}

/** Values that are infinite or not a number; integers have none. A complex one is two. */
export function countNonFinite(bytes: Uint8Array, dtype: Dtype): number {
  const parts = dtype === 'C64' ? 'F32' : dtype;
  if (!hasFloatValues(parts)) return 0;
  let count = 0;
  for (const value of floatValues(bytes, parts)) if (!Number.isFinite(value)) count++;
  return count;
}
