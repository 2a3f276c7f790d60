import { Blip2Error, ERROR_CODES, type ErrorCode } from '../../src/planner/index.js';

/** How a command ends; 128 + the signal's number where a signal ended it. */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  doesNotFit: 3,
  someInputsFailed: 4,
} as const;

type ErrorStatus = (typeof EXIT)['failed' | 'usage' | 'doesNotFit'];

/** What is mended on the command line, or in a plan or another document that was handed over. */
const USAGE: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  // What was asked for.
  'USAGE',
  'OPTION_INVALID',
  'SIZE_INVALID',
  'BUDGET_INVALID',
  'WORKLOAD_INVALID',
  'QUANT_INVALID',
  'QUANT_BLOCK_UNKNOWN',
  'PIN_UNKNOWN',
  'PIN_IMPOSSIBLE',
  'MODEL_UNKNOWN',
  'PROMPT_INVALID',
  'PROMPT_TOO_LONG',
  'SLICE_INVALID',
  'FILE_INVALID',
  'PROFILE_INVALID',

  // Device maps and plans.
  'MAP_NOT_OBJECT',
  'MAP_EMPTY',
  'MAP_TOO_LARGE',
  'MAP_KEY',
  'MAP_DEVICE',
  'MAP_MIXED_DEVICES',
  'MAP_AMBIGUOUS',
  'MAP_UNCOVERED',
  'MAP_BLOCK_CUT',
  'MAP_UNKNOWN_KEY',
  'PLAN_INVALID',
  'PLAN_MISMATCH',
  'PLAN_QUANTIZED',
  'ORT_SEVERAL_GPUS',

  // Checkpoints.
  'CHECKPOINT_NOT_FOUND',
  'AMBIGUOUS_CHECKPOINT',

  // Files and memory of them.
  'OUTPUT_EXISTS',
  'OUTPUT_INVALID',
  'OUTPUT_IMPOSSIBLE',
  'WOULD_OVERWRITE_INPUT',

  // Pictures.
  'IMAGE_SIZE',

  // Devices and models that run.
  'GPU_NOT_IN_MAP',

  // Many pictures.
  'INPUT_INVALID',
  'INPUT_EMPTY',
  'INPUT_ELSEWHERE',
  'RUN_INVALID',
  'RUN_DIFFERS',
  'RUN_MISSING',
  'QUEUE_INVALID',
]);

/** What a command exits with where an error ends it. */
export const EXIT_STATUS = Object.fromEntries(
  Object.keys(ERROR_CODES).map((code) => [code, statusOf(code as ErrorCode)]),
) as Readonly<Record<ErrorCode, ErrorStatus>>;

export function exitStatusOf(error: unknown): ErrorStatus {
  return error instanceof Blip2Error ? EXIT_STATUS[error.code] : EXIT.failed;
}

function statusOf(code: ErrorCode): ErrorStatus {
  if (code === 'DOES_NOT_FIT') return EXIT.doesNotFit;
  return USAGE.has(code) ? EXIT.usage : EXIT.failed;
}
