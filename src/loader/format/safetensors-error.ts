import { Blip2Error } from '../../errors.js';

/**
 * Why a safetensors file, an index or a checkpoint folder is refused.
 *
 * The first group carries the names of the reference reader's `SafeTensorError` (safetensors 0.8, `tensor.rs`): the same
 * file gets the same name there. The second group are rules of the specification, or of safety, that it does not check.
 */
export type SafetensorsErrorCode =
  | 'HeaderTooSmall'
  | 'HeaderTooLarge'
  | 'InvalidHeaderLength'
  | 'InvalidHeader'
  | 'InvalidHeaderDeserialization'
  | 'InvalidOffset'
  | 'ValidationOverflow'
  | 'MisalignedSlice'
  | 'TensorInvalidInfo'
  | 'MetadataIncompleteBuffer'
  | 'TensorNotFound'
  | 'IoError'
  // Ours:
  | 'NotSafetensors'
  | 'DuplicateKey'
  | 'UnsafeInteger'
  | 'IndexInvalid'
  | 'IndexMismatch'
  | 'MissingShard'
  | 'UnsafeShardPath'
  | 'CheckpointNotFound'
  | 'AmbiguousCheckpoint'
  | 'FileChanged'
  | 'ChecksumMismatch'
  | 'NotDownloaded'
  | 'TensorTooLarge'
  | 'NotQuantizable'
  | 'MappingClosed';

export interface SafetensorsErrorOptions {
  readonly tensor?: string;
  readonly hint?: string;
  readonly details?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

/** A refused file. `file` is its path as the reader was given it, `tensor` the name of the tensor where one is at fault. */
export class SafetensorsError extends Blip2Error {
  declare readonly code: SafetensorsErrorCode;
  readonly file: string;
  readonly tensor: string | undefined;

  constructor(code: SafetensorsErrorCode, file: string, message: string, options: SafetensorsErrorOptions = {}) {
    const { tensor, hint, details, cause } = options;
    super(code, `${file}: ${message}`, {
      ...(hint === undefined ? {} : { hint }),
      ...(cause === undefined ? {} : { cause }),
      details: { file, ...(tensor === undefined ? {} : { tensor }), ...details },
    });
    this.name = 'SafetensorsError';
    this.file = file;
    this.tensor = tensor;
  }
}
