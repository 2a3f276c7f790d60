import { Blip2Error } from '../../errors.js';

/**
 * Why a safetensors file, an index or a checkpoint folder is refused.
 *
 * The first group carries the names of the reference reader's `SafeTensorError` (safetensors 0.8, `tensor.rs`) in the
 * spelling of our codes: the same file gets the same name there. The second group are rules of the specification, or of safety, that it does not check.
 */
export type SafetensorsErrorCode =
  | 'HEADER_TOO_SMALL'
  | 'HEADER_TOO_LARGE'
  | 'INVALID_HEADER_LENGTH'
  | 'INVALID_HEADER'
  | 'INVALID_HEADER_DESERIALIZATION'
  | 'INVALID_OFFSET'
  | 'VALIDATION_OVERFLOW'
  | 'MISALIGNED_SLICE'
  | 'TENSOR_INVALID_INFO'
  | 'METADATA_INCOMPLETE_BUFFER'
  | 'TENSOR_NOT_FOUND'
  | 'IO_ERROR'
  // Ours:
  | 'NOT_SAFETENSORS'
  | 'DUPLICATE_KEY'
  | 'UNSAFE_INTEGER'
  | 'INDEX_INVALID'
  | 'INDEX_MISMATCH'
  | 'MISSING_SHARD'
  | 'UNSAFE_SHARD_PATH'
  | 'CHECKPOINT_NOT_FOUND'
  | 'AMBIGUOUS_CHECKPOINT'
  | 'FILE_CHANGED'
  | 'CHECKSUM_MISMATCH'
  | 'NOT_DOWNLOADED'
  | 'TENSOR_TOO_LARGE'
  | 'NOT_QUANTIZABLE'
  | 'MAPPING_CLOSED';

interface SafetensorsErrorOptions {
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
