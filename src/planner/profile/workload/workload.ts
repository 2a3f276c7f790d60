import * as z from 'zod';
import { Blip2Error } from '../../../errors.js';
import { errorText, option } from '../../../error-text.js';
import { CACHE_FORMS, type CacheForm } from '../../../model/quantized-caches.js';
import type { PictureSize } from '../../../model/picture-size.js';

/** What one call of the model has to do; it decides caches, activations and how often each block runs. */
export interface Workload {
  /** Pictures per call. */
  readonly batch: number;
  /** Of them, how many are encoded together; absent for all. `blip2-run` alone goes by it. */
  readonly encoded?: number;
  /**
   * How GPUs keep keys and values; `int8`: as integers, with a scale for each head of a token. Absent: as floats, unless the plan for
   * the most pictures per second may quantise.
   */
  readonly caches?: CacheForm;
  /** Beams per picture; 1 is greedy search. */
  readonly beams: number;
  /** Tokens of the prompt, the picture's query tokens included: these and one start token for a caption. */
  readonly promptTokens: number;
  /** Tokens generated per picture. */
  readonly newTokens: number;
  /** Pixels that every picture is brought to; null for the size that the model was made for. */
  readonly pictureSize: PictureSize | null;
}

/** For models with 32 query tokens, as all published ones have, and for checkpoints that have none. */
export const DEFAULT_WORKLOAD: Workload = { batch: 1, beams: 1, promptTokens: 33, newTokens: 20, pictureSize: null };

const workloadSchema = z.strictObject({
  batch: z.number().int().positive().default(DEFAULT_WORKLOAD.batch),
  encoded: z.number().int().positive().optional(),
  caches: z.enum(CACHE_FORMS).optional(),
  beams: z.number().int().positive().default(DEFAULT_WORKLOAD.beams),
  promptTokens: z.number().int().positive().default(DEFAULT_WORKLOAD.promptTokens),
  newTokens: z.number().int().positive().default(DEFAULT_WORKLOAD.newTokens),
  pictureSize: z
    .strictObject({ height: z.number().int().positive(), width: z.number().int().positive() })
    .nullable()
    .default(null),
});

/**
 * Fills in what was not said; a caption's prompt is the model's query tokens and its text.
 * @param textTokens where nothing is asked: one, to start from
 * @throws Blip2Error `WORKLOAD_INVALID` naming the field that is not a positive whole number.
 */
export function parseWorkload(
  workload: Partial<Workload> = {},
  queryTokens = DEFAULT_WORKLOAD.promptTokens - 1,
  textTokens = 1,
): Workload {
  const parsed = workloadSchema.safeParse({ promptTokens: queryTokens + textTokens, ...workload });
  if (parsed.success) {
    const { encoded, caches, ...rest } = parsed.data;
    return {
      ...rest,
      ...(encoded === undefined || encoded >= rest.batch ? {} : { encoded }),
      ...(caches === undefined ? {} : { caches }),
    };
  }
  const issues = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
  throw new Blip2Error('WORKLOAD_INVALID', `The workload is not usable: ${issues.join('; ')}`, {
    hint: errorText`batch, encoded, beams, ${option('promptTokens')}, ${option('newTokens')} and the sides of ${option('pictureSize')} are whole numbers from 1 up.`,
    details: { issues },
  });
}
