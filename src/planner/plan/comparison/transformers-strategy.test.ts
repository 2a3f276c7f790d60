import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { parseBlip2Config } from '../../../model/blip2-config.js';
import { blip2Tensors } from '../../../model/blip2-tensors.js';
import { deviceOf, type DeviceMap } from '../../map/device-map.js';
import { parseDeviceMap } from '../../map/parse-device-map.js';
import { explainMap } from './explain-map.js';
import { planDeviceMap } from '../plan-device-map.js';
import { transformersStrategy } from './transformers-strategy.js';

/** Maps that accelerate 1.15 and transformers 5.23 made on the meta device, recorded by bench/planner/record_peers.py. */
const recorded = z
  .object({
    shapes: z.record(z.string(), z.record(z.string(), z.unknown())),
    rows: z.array(
      z.object({
        shape: z.string(),
        split: z.string(),
        fraction: z.number(),
        gpus: z.array(z.number()),
        transformers: z.unknown(),
        accelerate: z.unknown(),
      }),
    ),
  })
  .parse(
    JSON.parse(readFileSync(new URL('../../../../test/fixtures/planner/peer-maps.json', import.meta.url), 'utf8')),
  );

const models = new Map(
  Object.entries(recorded.shapes).map(([name, shape]) => {
    const config = { model_type: 'blip-2', image_token_index: 50265, ...shape };
    return [
      name,
      { config, tensors: blip2Tensors(parseBlip2Config(config), { dtype: 'F32', ownHead: false }) },
    ] as const;
  }),
);

const cases = recorded.rows.map((row) => {
  const model = models.get(row.shape);
  if (model === undefined) throw new Error(row.shape);
  const budgets = { gpus: new Map(row.gpus.map((bytes, id) => [id, bytes])), ramBytes: null, diskBytes: 0 };
  return { ...row, ...model, budgets, name: `${row.shape}, ${row.split}, ${row.fraction}` };
});

describe('transformersStrategy', () => {
  it.each(cases)('$name: every tensor where transformers and accelerate put it', (row) => {
    const { tensors, config, budgets } = row;
    const where = (map: DeviceMap) => [...tensors.keys()].map((name) => deviceOf(map, name));
    const answer = (strategy: 'balanced' | 'sequential') =>
      where(transformersStrategy({ tensors, config, budgets, dtype: 'float16', strategy }));
    expect(answer('balanced')).toEqual(where(parseDeviceMap(row.transformers)));
    expect(answer('sequential')).toEqual(where(parseDeviceMap(row.accelerate)));
  });
});

describe('validateDeviceMap', () => {
  it.each(cases)('$name: knows every key that transformers and accelerate write', ({ tensors, config, ...row }) => {
    for (const map of [row.transformers, row.accelerate]) {
      const { issues } = explainMap(parseDeviceMap(map), tensors, { config, budgets: row.budgets });
      expect(issues.filter(({ code }) => code === 'MAP_UNKNOWN_KEY')).toEqual([]);
    }
  });
});

describe('planDeviceMap', () => {
  it.each(cases.filter((row) => row.shape === 'opt-2.7b' || row.split === 'one'))(
    '$name: never slower than transformers within the same budgets',
    ({ tensors, config, budgets, transformers }) => {
      for (const engine of ['transformers', 'blip2-run'] as const) {
        const options = { config, budgets, engine, solver: { effort: 200_000 } };
        const ours = planDeviceMap(tensors, options);
        if (ours.status === 'infeasible') throw new Error('RAM has no limit');
        const theirs = explainMap(parseDeviceMap(transformers), tensors, options);
        if (theirs.plan === null || theirs.overBudget.length > 0) continue;
        expect(ours.plan.cost.latencyMs).toBeLessThanOrEqual(theirs.plan.cost.latencyMs * (1 + 1e-6));
      }
    },
  );
});
