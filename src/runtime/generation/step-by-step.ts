/**
 * Greedy search and sampling for pictures whose prompts run together. A finished sequence leaves the batch, so the model
 * runs only for those that go on.
 */
import type { GeneratedSequence, GenerationHooks, GenerationRequest } from './generation-request.js';
import { OpenSequences, type StepSettings } from './open-sequences.js';
import { rollingOnce } from './rolling-source.js';
import type { TokenSource } from './token-source.js';

export async function generateStepByStep(
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
