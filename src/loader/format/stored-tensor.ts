import type { TensorInfo } from '../../tensor/tensor-info.js';

/** A tensor and where its bytes lie: from `begin` up to `end`, in bytes from the first of the file. */
export interface StoredTensor extends TensorInfo {
  /** Absolute path, symbolic links resolved: the file that a mapping or an external initializer has to name. */
  readonly file: string;
  readonly begin: number;
  readonly end: number;
}
