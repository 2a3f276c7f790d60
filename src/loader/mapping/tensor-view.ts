import type { Dtype } from '../../tensor/dtype.js';
import type { TensorInfo } from '../../tensor/tensor-info.js';

/** A tensor's stored bytes: little-endian, row-major. */
export interface TensorView extends TensorInfo {
  readonly name: string;
  /**
   * Length `tensorBytes(this)`. May be a view of read-only memory: a write to it ends the process. After the mapping is
   * closed it is empty (Node 22 and later) or must not be used (Node 20).
   */
  readonly bytes: Uint8Array;
}

/**
 * What the elements of a tensor can be viewed as: F16 and BF16 as Uint16Array, as JavaScript has no floats of 16 bits everywhere.
 */
export type TypedArray =
  | Float64Array
  | Float32Array
  | BigInt64Array
  | BigUint64Array
  | Int32Array
  | Uint32Array
  | Int16Array
  | Uint16Array
  | Int8Array
  | Uint8Array;

type ArrayType = new (buffer: ArrayBufferLike, byteOffset: number, length: number) => TypedArray;

/** Dtypes that JavaScript has no array for keep their bits: 16-bit floats as Uint16Array, smaller ones as Uint8Array. */
const ARRAY_TYPES: Readonly<Record<Dtype, ArrayType & { readonly BYTES_PER_ELEMENT: number }>> = {
  BOOL: Uint8Array,
  F4: Uint8Array,
  F6_E2M3: Uint8Array,
  F6_E3M2: Uint8Array,
  U8: Uint8Array,
  I8: Int8Array,
  F8_E5M2: Uint8Array,
  F8_E4M3: Uint8Array,
  F8_E8M0: Uint8Array,
  F8_E4M3FNUZ: Uint8Array,
  F8_E5M2FNUZ: Uint8Array,
  I16: Int16Array,
  U16: Uint16Array,
  F16: Uint16Array,
  BF16: Uint16Array,
  I32: Int32Array,
  U32: Uint32Array,
  F32: Float32Array,
  C64: Float32Array,
  F64: Float64Array,
  I64: BigInt64Array,
  U64: BigUint64Array,
};

/**
 * The elements as a typed array; C64 as pairs of (real, imaginary). Without a copy where the bytes are aligned to their
 * size, which is so in every file whose header is padded.
 */
export function typedArray({ dtype, bytes }: TensorView): TypedArray {
  const arrayType = ARRAY_TYPES[dtype];
  const aligned = bytes.byteOffset % arrayType.BYTES_PER_ELEMENT === 0 ? bytes : bytes.slice();
  return new arrayType(aligned.buffer, aligned.byteOffset, aligned.byteLength / arrayType.BYTES_PER_ELEMENT);
}
