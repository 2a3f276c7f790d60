import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import * as z from 'zod';
import type { Dtype } from '../../../tensor/dtype.js';
import { deviceOf } from '../../map/device-map.js';
import { loadModelTable } from '../../models/load-model-table.js';
import { transformersStrategy } from './transformers-strategy.js';

/** Of transformers itself, by record_strategies.py: classes with buffers that no file holds. */
const { models } = z
  .object({
    models: z.array(
      z.object({
        model: z.string(),
        config: z.record(z.string(), z.unknown()),
        file: z.record(z.string(), z.array(z.union([z.string(), z.number()]))),
        names: z.array(z.string()),
        maps: z.array(
          z.object({
            gpus: z.array(z.number()),
            strategy: z.enum(['balanced', 'sequential']),
            homes: z.array(z.tuple([z.string(), z.number()])),
          }),
        ),
      }),
    ),
  })
  .parse(
    JSON.parse(readFileSync(new URL('../../../../test/fixtures/planner/strategies.json', import.meta.url), 'utf8')),
  );

/** Its positions stand before a convolution; where modules without weights stand is not in the table. */
const ELSEWHERE = 'Wav2Vec2ConformerForCTC';

it.each(models.filter(({ model }) => model !== ELSEWHERE))(
  '$model: every tensor and buffer where transformers puts it',
  async ({ config, file, names, maps }) => {
    const tensors = new Map(
      Object.entries(file).map(([name, [dtype, ...shape]]) => [
        name,
        { dtype: dtype as Dtype, shape: shape.map(Number) },
      ]),
    );
    const table = await loadModelTable();
    const wrong = maps.flatMap(({ gpus, strategy, homes }) => {
      const budgets = { gpus: new Map(gpus.map((bytes, id) => [id, bytes])), ramBytes: null, diskBytes: 0 };
      const map = transformersStrategy({ tensors, config, models: table, budgets, dtype: 'float16', strategy });
      const theirs = homes.flatMap(([home, count]) => Array<string>(count).fill(home));
      const apart = names.filter((name, i) => String(deviceOf(map, name) ?? 'cpu') !== theirs[i]);
      return apart.length === 0 ? [] : [{ gpus, strategy, apart: apart.slice(0, 4), count: apart.length }];
    });
    expect(maps.length).toBeGreaterThan(8);
    expect(wrong).toEqual([]);
  },
);
