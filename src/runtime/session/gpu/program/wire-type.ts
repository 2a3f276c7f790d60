import type { Dtype } from '../../../../tensor/dtype.js';
import { tensorBytes } from '../../../../tensor/tensor-info.js';

export interface WireType {
  readonly dtype: Dtype;
  readonly dims: readonly number[];
}

export const wireBytes = ({ dtype, dims }: WireType): number => tensorBytes({ dtype, shape: dims });
