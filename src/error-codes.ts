/**
 * Every code of this package's errors, with what it means. Codes are for programs and stay; messages are for people and change.
 * `docs/errors.md` lists them with the commands' exit statuses.
 */
export const ERROR_CODES = {
  // What was asked for.
  USAGE: 'a flag or an argument is wrong, missing, or does not go with another',
  OPTION_INVALID: 'an option of the library, or a variable of the environment, has a value that it cannot have',
  SIZE_INVALID: 'a text is no size in bytes',
  BUDGET_INVALID: "a device's budget, or its number, is none",
  WORKLOAD_INVALID:
    'batch, beams, tokens or picture size are not usable, or go beyond what the model has positions for',
  QUANT_INVALID: 'weights may be quantised, and this model or engine has no way to run them so',
  QUANT_BLOCK_UNKNOWN: 'a block that is to be quantised is none of this model',
  PIN_UNKNOWN: 'a module that is to be pinned holds no block of this model',
  PIN_IMPOSSIBLE: 'a module is pinned to where it cannot run',
  MODEL_UNKNOWN: 'the model is in no table that the answer needs',
  PROMPT_INVALID: 'a prompt or question is empty, or holds a token that the model has not',
  PROMPT_TOO_LONG: 'a prompt has more tokens than were planned for, or than the model has positions',
  SLICE_INVALID: "a slice of a tensor is outside its shape, or cuts an element's byte",
  FILE_INVALID: 'a file that was named cannot be read, or is not JSON, or holds something else',
  PROFILE_INVALID: 'a profile of a machine is not one',

  // Device maps and plans.
  MAP_NOT_OBJECT: 'a device map is not an object of module paths and devices',
  MAP_EMPTY: 'a device map has no entries',
  MAP_TOO_LARGE: 'a device map has more entries than are read',
  MAP_KEY: 'a key of a device map is no dotted module path, or stands twice',
  MAP_DEVICE: 'a value of a device map is no device',
  MAP_MIXED_DEVICES: 'a device map writes GPUs in two ways, which transformers takes for different devices',
  MAP_AMBIGUOUS: 'no device map says this placement the same way to all of transformers',
  MAP_UNCOVERED: 'a device map gives no device to some block',
  MAP_BLOCK_CUT: 'a device map cuts a block that runs as a whole',
  MAP_UNKNOWN_KEY: 'a device map has a key that is in no module of the model',
  PLAN_INVALID: 'a document is no plan, or the plan that was asked for cannot be',
  PLAN_MISMATCH: 'a plan was made for another checkpoint, or for less than is asked',
  PLAN_QUANTIZED: 'a plan quantises blocks in a way that transformers cannot',
  ORT_SEVERAL_GPUS: 'a plan for several GPUs is to be one session of ONNX Runtime',
  DOES_NOT_FIT: 'no placement fits the budgets; the details have what is short and what would fit',
  SEARCH_STOPPED: 'the time limit ended the search before it found a placement',
  MODEL_TABLE_INVALID: "a table of transformers' models is not readable",

  // safetensors files; the first ten are named after the reference reader's `SafeTensorError`.
  HEADER_TOO_SMALL: 'a file is shorter than the length of its header',
  HEADER_TOO_LARGE: 'a header is larger than 100 MB',
  INVALID_HEADER_LENGTH: 'a header reaches beyond the end of its file',
  INVALID_HEADER: 'a header is not UTF-8',
  INVALID_HEADER_DESERIALIZATION: 'a header is not JSON, or not of the form that the format has',
  INVALID_OFFSET: 'a tensor does not begin where the one before it ends',
  VALIDATION_OVERFLOW: "a shape's bytes are beyond what 64 bits count",
  MISALIGNED_SLICE: "a tensor's elements do not end at a byte",
  TENSOR_INVALID_INFO: "a tensor's bytes are not as many as its shape and dtype take",
  METADATA_INCOMPLETE_BUFFER: "a file's bytes are not those of its tensors",
  NOT_SAFETENSORS: 'a file is of another format',
  DUPLICATE_KEY: 'a name stands twice in a header or an index',
  UNSAFE_INTEGER: 'a number is above 2^53 - 1',

  // Checkpoints.
  CHECKPOINT_NOT_FOUND: 'there is no checkpoint at a path or address',
  AMBIGUOUS_CHECKPOINT: 'a folder has several checkpoints',
  CHECKPOINT_FILE_MISSING: "a file beside the weights is missing, such as the tokenizer's",
  CHECKPOINT_QUANTIZED: 'the weights are quantised by a method that is not read',
  CONFIG_INVALID: 'a JSON file of a checkpoint is not JSON, or describes no model that can be used so',
  CONFIG_MISMATCH: 'the weights have more or fewer layers than config.json says',
  CONFIG_ALONE: "config.json alone does not give a model's shapes: it is not BLIP-2",
  TOKENIZER_INVALID: 'tokenizer.json cannot be used',
  INDEX_INVALID: 'an index is not JSON, or not of the form that an index has',
  INDEX_MISMATCH: 'an index and the shards do not agree',
  MISSING_SHARD: 'a shard that an index names is missing',
  UNSAFE_SHARD_PATH: 'an index names a file outside its folder',
  TENSOR_NOT_FOUND: 'a tensor that is needed is not in the checkpoint',
  TENSORS_PREFIXED: 'the names of all tensors have a prefix that the model does not have',
  TENSOR_SHAPE: 'a tensor has another shape than config.json implies',
  TENSOR_DTYPE: 'a tensor is stored in a dtype that the model is not run with',
  TENSOR_TOO_LARGE: 'a tensor is larger than one view of memory',
  NOT_QUANTIZABLE: 'a weight has values that int8 or int4 cannot store',
  CONVERSION_UNSUPPORTED: 'there is no conversion between two dtypes',

  // Files and memory of them.
  IO_ERROR: "a checkpoint's file cannot be opened, read or mapped; the cause is the system's error",
  FILE_CHANGED: 'a file became another while it was in use',
  CHECKSUM_MISMATCH: 'what was downloaded is not what the hub announced',
  MAPPING_CLOSED: 'a tensor is read after its mapping was closed',
  WEIGHTS_NOT_MAPPED: 'weights cannot be mapped for a GPU',
  FILES_ON_SEVERAL_DRIVES: 'files that one graph refers to have no folder in common',
  CACHE_FOLDER: 'converted weights cannot be kept in the cache folder',
  DISK_FULL: 'a disk, or its quota, has no room for what is to be written',
  FILE_TOO_LARGE: 'a file system or a limit allows no file so large',
  WRITE_FAILED: 'an answer or a file was not written',
  OUTPUT_EXISTS: 'a file or folder that is to be written is there already',
  OUTPUT_INVALID: 'a name that was given for the output is no file or folder that can be written',
  OUTPUT_IMPOSSIBLE: 'a format of captions has no place for a picture',
  WOULD_OVERWRITE_INPUT: 'the output is a file or folder that is read',

  // The hub.
  HUB_FAILED: 'the hub answered with something else than was asked',
  HUB_NOT_FOUND: 'the hub has no such repository, revision or file',
  HUB_OFFLINE: 'the hub may not be asked, and the cache lacks the file',
  HUB_RATE_LIMITED: 'the hub refuses further requests for a time',
  HUB_UNAUTHORIZED: 'the hub wants a token, or another one',
  HUB_UNREACHABLE: 'the hub does not answer',
  NOT_DOWNLOADED: 'a tensor is read whose file is on the hub alone',

  // Pictures.
  IMAGE_NOT_FOUND: 'there is no picture at a path or address',
  IMAGE_UNREADABLE: 'bytes are no picture that can be decoded',
  IMAGE_UNSUPPORTED: 'a picture is whole, and of a kind whose pixels would differ from those that Pillow gives',
  IMAGE_TOO_LARGE: 'a picture has more bytes or pixels than are read',
  IMAGE_TIMEOUT: 'a picture was not fetched in time',
  IMAGE_ORIGIN: 'the server may not fetch pictures from an address',
  IMAGE_SIZE: 'a size in pixels is none that the model can see',

  // Devices and models that run.
  GPU_MISSING: 'a GPU of the device map is not there, or cannot be used',
  GPU_NOT_IN_MAP: 'a block is to run on a GPU that the device map does not use',
  OUT_OF_MEMORY: 'a device has less memory free than the plan takes',
  CUDA_FAILED: "a call of CUDA's driver failed",
  ORT_FAILED: 'a call of ONNX Runtime failed',
  ORT_UNSUPPORTED: 'this version of ONNX Runtime, or this system, has not what is needed',
  LOGITS_NOT_FINITE: 'a model computed what is infinite or not a number',
  PROCESS_ENDED: "the model's process ended while it was needed",
  PACKAGE_MISSING: 'an optional package is not installed',

  // Many pictures.
  INPUT_INVALID: 'a file or address that is to list pictures does not',
  INPUT_EMPTY: 'the inputs hold no picture',
  INPUT_ELSEWHERE: 'the pictures of a run are not on this machine',
  RUN_INVALID: "a folder's record of its run is not what this version writes",
  RUN_DIFFERS: 'a folder holds a run of other settings or pictures',
  RUN_MISSING: 'a folder holds no run',
  RUN_BUSY: 'another run is at work in a folder',
  SHARD_INVALID: 'a line describes no shard',
  WORKER_DIED: "the model's process ended several times with a picture in it",
  BUCKET_FAILED: 'a bucket did not do what was asked',
  QUEUE_INVALID: 'an address is none of a Redis or Valkey server',
  QUEUE_UNREACHABLE: 'no Redis or Valkey server answers at an address, or it refuses',
  QUEUE_UNSAFE: 'a server throws shards away when its memory is full',

  // The HTTP server.
  PORT_TAKEN: 'a port cannot be listened on',
  REQUEST_INVALID: 'a field of a request is missing or wrong',
  REQUEST_SLOW: 'a request did not arrive in time',
  REQUEST_TOO_LARGE: 'a request has more bytes than are read',
  CONTENT_TYPE: "a request's body is not JSON, or is encoded",
  METHOD_REFUSED: 'an address does not take this method',
  NOT_FOUND: 'the server has nothing at an address',
  TOKEN_INVALID: 'a request has no token, or not the right one',
  HOST_REFUSED: 'a request without a token is not for this machine',
  QUEUE_FULL: 'as many requests wait as may',
  MODEL_STARTING: 'the model is being started again',
  SERVICE_CLOSED: 'no more requests are taken',
  ANSWER_TIMEOUT: 'an answer was not made in time',
  CLIENT_GONE: 'the client closed its connection',

  // The page.
  ASSET_MISSING: 'a file of the page is not beside it',
  FILES_GONE: 'files that were dropped are not in the page any more',

  INTERRUPTED: 'a signal ended the command',
  UNEXPECTED: 'something that nobody foresaw',
} as const;

/** Stable, for programs to tell errors apart. */
export type ErrorCode = keyof typeof ERROR_CODES;
