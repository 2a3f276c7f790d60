import type { StoredTensor } from '../../../../loader/format/stored-tensor.js';

/** Tensors of one dtype that lie one after the other in one graph input. */
export interface Weight {
  readonly tensors: readonly StoredTensor[];
  /** Read by graphs as `[in, out]`; its tensors are `[out, in]`. */
  readonly transposed: boolean;
}

export const sizeOf = ({ tensors }: Pick<Weight, 'tensors'>): number =>
  tensors.reduce((sum, { begin, end }) => sum + end - begin, 0);
