import { expect, it } from 'vitest';
import { openCheckpoint } from '../../src/loader/checkpoint/open-checkpoint.js';
import { parseBlip2Config } from '../../src/model/blip2-config.js';
import { positionLimit } from '../../src/model/language-config.js';
import { planWorkload } from './plan-workload.js';

it('plans for no more new tokens than the model has positions for', async () => {
  const checkpoint = await openCheckpoint('models/demo');
  const limit = positionLimit(parseBlip2Config(checkpoint.config).text);
  const asked = await planWorkload(checkpoint, {}, { maxNewTokens: 1_000_000_000 }, 2);
  expect(asked.batch).toBe(2);
  expect((asked.promptTokens ?? 0) + (asked.newTokens ?? 0)).toBe(limit);
  expect(await planWorkload(checkpoint, {}, { maxNewTokens: 5 }, 2)).toMatchObject({ newTokens: 5 });
});
