/**
 * From a language model's logits to sequences of ids, with the ids that transformers' `generate` gives: greedy search,
 * beam search, and sampling (whose draws are our own).
 */
import { searchBeams } from './beam-search.js';
import { resolveGenerationOptions, type GenerationOptions } from './generation-options.js';
import type { GeneratedSequence, GenerationHooks, GenerationRequest } from './generation-request.js';
import type { TokenSource } from './token-source.js';
import { OpenSequences, type StepSettings } from './open-sequences.js';
import { rollingOnce } from './rolling-source.js';

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
  const settings = resolveGenerationOptions(options, { ...request, vocabSize: source.vocabSize });
  const { strategy } = settings;
  return strategy.kind === 'beam'
    ? searchBeams(source, request, { ...settings, strategy }, hooks)
    : generateStepByStep(source, request, { ...settings, strategy }, hooks);
}

/**
 * Greedy search and sampling for pictures whose prompts run together. A finished sequence leaves the batch, so the model
 * runs only for those that go on.
 */
async function generateStepByStep(
  source: TokenSource,
  { contextIds, randomStreams }: GenerationRequest,
  settings: StepSettings,
  hooks: GenerationHooks,
): Promise<GeneratedSequence[][]> {
  const open = new OpenSequences(rollingOnce(source), hooks);
  const results: GeneratedSequence[][] = contextIds.map(() => []);
  const pictures = [...contextIds.keys()];
  const streams = randomStreams === undefined ? {} : { randomStreams };
  const admitted = { prompt: null, pictures, contextIds, ...streams, settings: contextIds.map(() => settings) };
  let finished = await open.admit(admitted);
  for (;;) {
    for (const { picture, sequences } of finished) results[picture] = [...sequences];
    if (open.count === 0) return results;
    finished = await open.step();
  }
}
