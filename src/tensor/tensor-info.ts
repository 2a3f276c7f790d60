import { DTYPE_BITS, type Dtype } from './dtype.js';

/** What a tensor is, without where it lies: row-major, no strides; `[]` is a scalar. */
export interface TensorInfo {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
}

/** Tensor name -> what the tensor is: all that planning asks of a checkpoint's files, from shard headers or a published configuration. */
export type TensorTable = ReadonlyMap<string, TensorInfo>;

export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, dim) => product * dim, 1);
}

/** Bytes of a tensor of this shape, stored as `dtype` (its own unless another is given). */
export function tensorBytes(tensor: TensorInfo, dtype: Dtype = tensor.dtype): number {
  return (elementCount(tensor.shape) * DTYPE_BITS[dtype]) / 8;
}
