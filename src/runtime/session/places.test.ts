import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { parseModelConfig } from '../../model/blip2-config.js';
import { blip2Tensors } from '../../model/blip2-tensors.js';
import { PRESETS } from '../../model/presets.js';
import { parseDeviceMap } from '../../planner/map/parse-device-map.js';
import { readPlan } from '../../planner/plan/document/read-plan.js';
import { planDeviceMap } from '../../planner/plan/plan-device-map.js';
import { placesOf } from './places.js';

const recorded = z
  .object({
    shapes: z.record(z.string(), z.record(z.string(), z.unknown())),
    rows: z.array(z.object({ shape: z.string(), transformers: z.unknown(), accelerate: z.unknown() })),
  })
  .parse(JSON.parse(readFileSync(new URL('../../../test/fixtures/planner/peer-maps.json', import.meta.url), 'utf8')));

describe('placesOf', () => {
  it.each([...PRESETS])('takes every map that is planned for %s', async (_, { config: json, ownHead }) => {
    const config = parseModelConfig(json);
    const tensors = blip2Tensors(config, { dtype: 'F16', ownHead });
    const half = [...tensors.values()].reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
    for (const shares of [[0.3], [0.7], [0.2, 0.4]]) {
      const gpus = new Map(shares.map((share, gpu) => [gpu, 2 ** 30 + Math.ceil(2 * half * share)]));
      const budgets = { gpus, ramBytes: null, diskBytes: 0 };
      const result = planDeviceMap(tensors, { config: json, budgets, solver: { effort: 20_000 } });
      if (result.status === 'infeasible') throw new Error(`no plan for ${shares.join(' and ')}`);
      const { map } = readPlan(JSON.parse(JSON.stringify(result.plan)));
      const { places } = await placesOf(config, { deviceMap: map, emulateGpu: true });
      for (const { block, device } of result.plan.placements)
        expect([block, places.get(block)]).toEqual([block, device]);
    }
  });

  it('takes maps that transformers and accelerate made', async () => {
    for (const { shape, transformers, accelerate } of recorded.rows) {
      const config = parseModelConfig({ model_type: 'blip-2', image_token_index: 7, ...recorded.shapes[shape] });
      for (const map of [transformers, accelerate]) {
        const { places } = await placesOf(config, { deviceMap: parseDeviceMap(map), emulateGpu: true }).catch(
          (error: unknown) => {
            // What cuts a block is refused, for what it is.
            expect(error).toMatchObject({ code: 'MAP_BLOCK_CUT' });
            return { places: null };
          },
        );
        if (places !== null) expect(places.size).toBeGreaterThan(50);
      }
    }
  });
});
