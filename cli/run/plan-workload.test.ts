import { expect, it } from 'vitest';
import { openCheckpoint } from '../../src/loader/open-checkpoint.js';
import { parseBlip2Config } from '../../src/model/blip2-config.js';
import { mostTokens } from '../../src/model/language-config.js';
import type { GenerationOptions } from '../../src/runtime/generation/generation-options.js';
import { planWorkload } from './plan-workload.js';

it('plans for no more new tokens than come of the positions that the model has', async () => {
  const checkpoint = await openCheckpoint('models/demo');
  const limit = mostTokens(parseBlip2Config(checkpoint.config).text);
  const asked = await planWorkload(checkpoint, {}, { maxNewTokens: 1_000_000_000 });
  expect((asked.promptTokens ?? 0) + (asked.newTokens ?? 0)).toBe(limit);
  expect(await planWorkload(checkpoint, {}, { maxNewTokens: 5 })).toMatchObject({ newTokens: 5 });
});

it('plans for all sequences that run at once', async () => {
  const checkpoint = await openCheckpoint('models/demo');
  const beams = async (generation: GenerationOptions) => (await planWorkload(checkpoint, {}, generation)).beams;
  expect(await beams({})).toBe(1);
  expect(await beams({ numBeams: 5, numReturnSequences: 2 })).toBe(5);
  expect(await beams({ doSample: true, numReturnSequences: 3 })).toBe(3);
});
