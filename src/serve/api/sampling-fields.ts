/** The fields of a request that say how tokens are chosen, and what they are here. */
import * as z from 'zod';
import type { StepOptions } from '../../runtime/generation/generation-options.js';
import { badField } from './api-error.js';

const whole = z.int();

/** null is as good as absent, as in OpenAI's API. */
export const samplingFields = {
  temperature: z.number().min(0).max(2).nullish(),
  top_p: z.number().min(0).max(1).nullish(),
  seed: whole.nullish(),
  n: whole.nullish(),
  // Not of OpenAI's API; those who serve other models have them.
  top_k: whole.min(-1).nullish(),
  repetition_penalty: z.number().min(0.1).max(10).nullish(),
  min_tokens: whole.min(0).nullish(),
  // Of what these change, nothing can be had here.
  logprobs: z.boolean().nullish(),
  top_logprobs: whole.nullish(),
  logit_bias: z.record(z.string(), z.number()).nullish(),
};

export type SamplingFields = z.infer<z.ZodObject<typeof samplingFields>>;

/**
 * The likeliest token at each step where nothing says otherwise: captions are not meant to vary.
 * @param maxNewTokens as asked for, within what the server has room for
 * @throws Blip2Error `REQUEST_INVALID` for what cannot be had
 */
export function stepOptions(fields: SamplingFields, maxNewTokens: number): StepOptions {
  if ((fields.n ?? 1) !== 1) throw badField('n', `n is ${fields.n}; one answer is made for a request`);
  if (fields.logprobs === true) throw badField('logprobs', 'log-probabilities are not given here');
  if (Object.keys(fields.logit_bias ?? {}).length > 0) throw badField('logit_bias', 'logits cannot be biased here');
  const { temperature, top_p: topP, top_k: topK, seed } = fields;
  const common = {
    maxNewTokens,
    ...(fields.min_tokens == null ? {} : { minNewTokens: Math.min(fields.min_tokens, maxNewTokens) }),
    ...(fields.repetition_penalty == null ? {} : { repetitionPenalty: fields.repetition_penalty }),
  };
  const narrows = temperature != null || (topP ?? 1) < 1;
  if (!narrows || temperature === 0 || topP === 0 || topK === 1) return common;
  return {
    ...common,
    doSample: true,
    temperature: temperature ?? 1,
    topP: topP ?? 1,
    topK: Math.max(topK ?? 0, 0),
    // Servers of other models take a negative seed for none.
    ...(seed == null || seed < 0 ? {} : { seed }),
  };
}
