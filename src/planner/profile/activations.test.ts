import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { isDtype } from '../../tensor/dtype.js';
import { loadModelTable } from '../models/load-model-table.js';
import { preparePlan } from '../plan/request/prepare-plan.js';

/** What transformers 5.24 allocates at most for a prompt, recorded by test/fixtures/planner/record_activations.py. */
const recorded = z
  .object({
    models: z.array(
      z.object({
        family: z.string(),
        config: z.record(z.string(), z.unknown()),
        file: z.record(z.string(), z.tuple([z.string()]).rest(z.number())),
        promptTokens: z.number(),
        peakBytes: z.number(),
      }),
    ),
  })
  .parse(JSON.parse(readFileSync(new URL('../../../test/fixtures/planner/activations.json', import.meta.url), 'utf8')));

const models = await loadModelTable();

describe('what a prompt takes beside weights', () => {
  // Attention that is written out is counted as one that keeps many scores; XGLM's keeps few.
  it.each(recorded.models)(
    '$family: all but a sixteenth, and less than three times',
    ({ config, file, promptTokens, peakBytes }) => {
      const tensors = new Map(
        Object.entries(file).map(([name, [dtype, ...shape]]) => {
          if (!isDtype(dtype)) throw new Error(dtype);
          return [name, { dtype, shape }];
        }),
      );
      const budgets = { gpus: new Map<number, number>(), ramBytes: null, diskBytes: 0 };
      const workload = { promptTokens, newTokens: 1 };
      const { profile } = preparePlan(tensors, { config, models, engine: 'transformers', budgets, workload });
      const kept = profile.blocks.reduce((sum, block) => sum + block.cacheElements * block.elementBytes, 0);
      const running = Math.max(...profile.blocks.map((block) => block.activationElements * block.elementBytes));
      expect((kept + running) / peakBytes).toBeGreaterThan(15 / 16);
      expect((kept + running) / peakBytes).toBeLessThan(3);
    },
  );
});
