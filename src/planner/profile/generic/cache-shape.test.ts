import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { isDtype } from '../../../tensor/dtype.js';
import { loadModelTable } from '../../models/load-model-table.js';
import { preparePlan } from '../../plan/request/prepare-plan.js';

/** What transformers 5.24 keeps after a call, recorded by test/fixtures/planner/record_caches.py. */
const recorded = z
  .object({
    models: z.array(
      z.object({
        family: z.string(),
        config: z.record(z.string(), z.unknown()),
        file: z.record(z.string(), z.tuple([z.string()]).rest(z.number())),
        promptTokens: z.number(),
        tokens: z.number(),
        bytes: z.number(),
      }),
    ),
  })
  .parse(JSON.parse(readFileSync(new URL('../../../../test/fixtures/planner/caches.json', import.meta.url), 'utf8')));

const models = await loadModelTable();

describe('what is kept between tokens', () => {
  it.each(recorded.models)('$family: to the byte', ({ config, file, promptTokens, tokens, bytes }) => {
    const tensors = new Map(
      Object.entries(file).map(([name, [dtype, ...shape]]) => {
        if (!isDtype(dtype)) throw new Error(dtype);
        return [name, { dtype, shape }];
      }),
    );
    const budgets = { gpus: new Map<number, number>(), ramBytes: null, diskBytes: 0 };
    const workload = { promptTokens, newTokens: tokens - promptTokens };
    const { profile } = preparePlan(tensors, { config, models, engine: 'transformers', budgets, workload });
    const kept = profile.blocks.reduce((sum, block) => sum + block.cacheElements * block.elementBytes, 0);
    expect(kept).toBe(bytes);
  });
});
