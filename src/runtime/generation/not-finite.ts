/**
 * Logits that are not finite: NaN or infinite. Nothing can be chosen from them, and everything that can be read from them
 * looks like an answer: an empty caption, or one that ends early.
 */
import { Blip2Error } from '../../errors.js';

/** In place of an id: the logits that it would have been chosen from are not finite. */
export const NOT_FINITE = -1;

/** A picture's prompt, or the number of its new token from 1 on, whose logits were the first that are not finite. */
export interface NotFinite {
  /** New tokens that were chosen before: 0 where the prompt's own logits are not finite. */
  readonly newTokens: number;
}

/** Whether every value is finite: a sum of float32 values in double precision overflows for no vocabulary. */
export function areFinite(logits: Float32Array): boolean {
  let sum = 0;
  for (let i = 0; i < logits.length; i++) sum += logits[i] ?? 0;
  return Number.isFinite(sum);
}

/**
 * `LOGITS_NOT_FINITE`, which says where they first appeared.
 * @param stage what made the first values that are not finite; `language` where those that it was given are finite
 */
export function notFiniteError({ newTokens }: NotFinite, stage: 'picture' | 'language' = 'language'): Blip2Error {
  const when = newTokens === 0 ? 'after the prompt' : `after ${newTokens} new ${newTokens === 1 ? 'token' : 'tokens'}`;
  const where =
    stage === 'picture'
      ? 'the rows that vision tower and Q-Former made of the picture are not finite'
      : newTokens === 0
        ? 'the rows that it was given are finite, so a weight of the language model is not, or its numbers overflow'
        : 'so its numbers overflow, or a weight that this token needs is not finite';
  return new Blip2Error(
    'LOGITS_NOT_FINITE',
    `the language model's logits are not finite (NaN or infinite) ${when}: ${where}`,
    {
      hint: 'blip2-shard verify --deep counts weights that are not finite. Where there are none, numbers overflow: take weights in bfloat16 or float32.',
      details: { newTokens, stage },
    },
  );
}
