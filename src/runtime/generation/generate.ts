/**
 * From a language model's logits to sequences of ids, with the ids that transformers' `generate` gives: greedy search,
 * beam search, and sampling (whose draws are our own).
 */
import { searchBeams } from './beam-search.js';
import { resolveGenerationOptions, type GenerationOptions } from './generation-options.js';
import type { GeneratedSequence, GenerationHooks, GenerationRequest } from './generation-request.js';
import { generateStepByStep } from './step-by-step.js';
import type { TokenSource } from './token-source.js';

/**
 * @returns per picture its sequences, best first for beams, in order of drawing for sampling
 * @throws Blip2Error `OPTION_INVALID`; the signal's reason when aborted; whatever `source` throws
 */
export async function generate(
  source: TokenSource,
  request: GenerationRequest,
  options: GenerationOptions = {},
  hooks: GenerationHooks = {},
): Promise<GeneratedSequence[][]> {
  const settings = resolveGenerationOptions(options, request.eosTokenIds);
  const { strategy } = settings;
  return strategy.kind === 'beam'
    ? searchBeams(source, request, { ...settings, strategy }, hooks)
    : generateStepByStep(source, request, { ...settings, strategy }, hooks);
}
