import { Blip2Error, type ErrorCode } from '../../src/planner/index.js';

/** How a command ends; 128 + the signal's number where a signal ended it. */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  doesNotFit: 3,
  someInputsFailed: 4,
} as const;

type ErrorStatus = (typeof EXIT)['failed' | 'usage' | 'doesNotFit'];
const { failed, usage, doesNotFit } = EXIT;

/**
 * What a command exits with where an error ends it. Usage is what is mended on the command line, or in a plan or another
 * document that was handed over.
 */
export const EXIT_STATUS: Readonly<Record<ErrorCode, ErrorStatus>> = {
  // What was asked for.
  USAGE: usage,
  OPTION_INVALID: usage,
  SIZE_INVALID: usage,
  BUDGET_INVALID: usage,
  WORKLOAD_INVALID: usage,
  QUANT_INVALID: usage,
  QUANT_BLOCK_UNKNOWN: usage,
  PIN_UNKNOWN: usage,
  PIN_IMPOSSIBLE: usage,
  MODEL_UNKNOWN: usage,
  PROMPT_INVALID: usage,
  PROMPT_TOO_LONG: usage,
  SLICE_INVALID: usage,
  FILE_INVALID: usage,
  PROFILE_INVALID: usage,

  // Device maps and plans.
  MAP_NOT_OBJECT: usage,
  MAP_EMPTY: usage,
  MAP_TOO_LARGE: usage,
  MAP_KEY: usage,
  MAP_DEVICE: usage,
  MAP_MIXED_DEVICES: usage,
  MAP_AMBIGUOUS: usage,
  MAP_UNCOVERED: usage,
  MAP_BLOCK_CUT: usage,
  MAP_UNKNOWN_KEY: usage,
  PLAN_INVALID: usage,
  PLAN_MISMATCH: usage,
  PLAN_QUANTIZED: usage,
  ORT_SEVERAL_GPUS: usage,
  DOES_NOT_FIT: doesNotFit,
  SEARCH_STOPPED: failed,
  MODEL_TABLE_INVALID: failed,

  // safetensors files.
  HEADER_TOO_SMALL: failed,
  HEADER_TOO_LARGE: failed,
  INVALID_HEADER_LENGTH: failed,
  INVALID_HEADER: failed,
  INVALID_HEADER_DESERIALIZATION: failed,
  INVALID_OFFSET: failed,
  VALIDATION_OVERFLOW: failed,
  MISALIGNED_SLICE: failed,
  TENSOR_INVALID_INFO: failed,
  METADATA_INCOMPLETE_BUFFER: failed,
  NOT_SAFETENSORS: failed,
  DUPLICATE_KEY: failed,
  UNSAFE_INTEGER: failed,

  // Checkpoints.
  CHECKPOINT_NOT_FOUND: usage,
  AMBIGUOUS_CHECKPOINT: usage,
  CHECKPOINT_FILE_MISSING: failed,
  CHECKPOINT_QUANTIZED: failed,
  CONFIG_INVALID: failed,
  CONFIG_MISMATCH: failed,
  CONFIG_ALONE: failed,
  TOKENIZER_INVALID: failed,
  INDEX_INVALID: failed,
  INDEX_MISMATCH: failed,
  MISSING_SHARD: failed,
  UNSAFE_SHARD_PATH: failed,
  TENSOR_NOT_FOUND: failed,
  TENSORS_PREFIXED: failed,
  TENSOR_SHAPE: failed,
  TENSOR_DTYPE: failed,
  TENSOR_TOO_LARGE: failed,
  NOT_QUANTIZABLE: failed,
  CONVERSION_UNSUPPORTED: failed,

  // Files and memory of them.
  IO_ERROR: failed,
  FILE_CHANGED: failed,
  CHECKSUM_MISMATCH: failed,
  MAPPING_CLOSED: failed,
  WEIGHTS_NOT_MAPPED: failed,
  FILES_ON_SEVERAL_DRIVES: failed,
  CACHE_FOLDER: failed,
  DISK_FULL: failed,
  FILE_TOO_LARGE: failed,
  WRITE_FAILED: failed,
  OUTPUT_EXISTS: usage,
  OUTPUT_BUSY: failed,
  OUTPUT_INVALID: usage,
  OUTPUT_IMPOSSIBLE: usage,
  WOULD_OVERWRITE_INPUT: usage,

  // The hub.
  HUB_FAILED: failed,
  HUB_NOT_FOUND: failed,
  HUB_OFFLINE: failed,
  HUB_RATE_LIMITED: failed,
  HUB_UNAUTHORIZED: failed,
  HUB_UNREACHABLE: failed,
  NOT_DOWNLOADED: failed,

  // Pictures.
  IMAGE_NOT_FOUND: failed,
  IMAGE_UNREADABLE: failed,
  IMAGE_UNSUPPORTED: failed,
  IMAGE_TOO_LARGE: failed,
  IMAGE_TIMEOUT: failed,
  IMAGE_ORIGIN: failed,
  IMAGE_SIZE: usage,

  // Devices and models that run.
  GPU_MISSING: failed,
  GPU_NOT_IN_MAP: usage,
  OUT_OF_MEMORY: failed,
  CUDA_FAILED: failed,
  ORT_FAILED: failed,
  ORT_UNSUPPORTED: failed,
  LOGITS_NOT_FINITE: failed,
  PROCESS_ENDED: failed,
  PACKAGE_MISSING: failed,

  // Many pictures.
  INPUT_INVALID: usage,
  INPUT_EMPTY: usage,
  INPUT_ELSEWHERE: usage,
  RUN_INVALID: usage,
  RUN_DIFFERS: usage,
  RUN_MISSING: usage,
  RUN_BUSY: failed,
  SHARD_INVALID: failed,
  WORKER_DIED: failed,
  BUCKET_FAILED: failed,
  QUEUE_INVALID: usage,
  QUEUE_UNREACHABLE: failed,
  QUEUE_UNSAFE: failed,

  // The HTTP server.
  PORT_TAKEN: failed,
  REQUEST_INVALID: failed,
  REQUEST_SLOW: failed,
  REQUEST_TOO_LARGE: failed,
  CONTENT_TYPE: failed,
  METHOD_REFUSED: failed,
  NOT_FOUND: failed,
  TOKEN_INVALID: failed,
  HOST_REFUSED: failed,
  QUEUE_FULL: failed,
  MODEL_STARTING: failed,
  SERVICE_CLOSED: failed,
  ANSWER_TIMEOUT: failed,
  CLIENT_GONE: failed,

  // The page.
  ASSET_MISSING: failed,
  FILES_GONE: failed,

  INTERRUPTED: failed,
  UNEXPECTED: failed,
};

export function exitStatusOf(error: unknown): ErrorStatus {
  return error instanceof Blip2Error ? EXIT_STATUS[error.code] : failed;
}
