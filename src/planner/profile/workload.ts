import { z } from 'zod';
import { Blip2Error } from '../../errors.js';

/** What one call of the model has to do; it decides caches, activations and how often each block runs. */
export interface Workload {
  /** Pictures per call. */
  readonly batch: number;
  /** Beams per picture; 1 is greedy search. */
  readonly beams: number;
  /** Tokens of the prompt, the picture's query tokens included: 33 for a caption (32 and one start token). */
  readonly promptTokens: number;
  /** Tokens generated per picture. */
  readonly newTokens: number;
}

export const DEFAULT_WORKLOAD: Workload = { batch: 1, beams: 1, promptTokens: 33, newTokens: 20 };

export const workloadSchema = z.strictObject({
  batch: z.number().int().positive().default(DEFAULT_WORKLOAD.batch),
  beams: z.number().int().positive().default(DEFAULT_WORKLOAD.beams),
  promptTokens: z.number().int().positive().default(DEFAULT_WORKLOAD.promptTokens),
  newTokens: z.number().int().positive().default(DEFAULT_WORKLOAD.newTokens),
});

/** @throws Blip2Error `BAD_WORKLOAD` naming the field that is not a positive whole number. */
export function parseWorkload(workload: Partial<Workload> = {}): Workload {
  const parsed = workloadSchema.safeParse(workload);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
  throw new Blip2Error('BAD_WORKLOAD', `The workload is not usable: ${issues.join('; ')}`, {
    hint: 'batch, beams, promptTokens and newTokens are whole numbers from 1 up.',
    details: { issues },
  });
}
