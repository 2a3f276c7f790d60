import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { parseBlip2Config } from '../../../model/blip2-config.js';
import { blip2Tensors } from '../../../model/blip2-tensors.js';
import type { TensorInfo } from '../../../tensor/tensor-info.js';
import { deviceOf, type DeviceMap } from '../../map/device-map.js';
import { parseDeviceMap } from '../../map/parse-device-map.js';
import { loadModelTable } from '../../models/load-model-table.js';
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
    const config = { model_type: 'blip-2', image_token_index: 7, ...shape };
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

  it.each(cases.filter(({ split }) => split === 'one'))(
    '$name: whatever the order of a file, which mostly is that of names',
    (row) => {
      const tensors = new Map([...row.tensors].sort(([a], [b]) => (a < b ? -1 : 1)));
      const { config, budgets } = row;
      const map = transformersStrategy({ tensors, config, budgets, dtype: 'float16', strategy: 'balanced' });
      const where = (theirs: DeviceMap) => [...tensors.keys()].map((name) => deviceOf(theirs, name));
      expect(where(map)).toEqual(where(parseDeviceMap(row.transformers)));
    },
  );
});

/** A Wav2Vec2 of one layer, 32 wide: its convolution's norm and direction are two parameters beside a module without any. */
const linear = (name: string, ...shape: readonly number[]) =>
  [
    [`${name}.weight`, ...shape],
    [`${name}.bias`, shape[0] ?? 0],
  ] as const;
const norm = (name: string, width: number) => linear(name, width);
const wav2vec2 = new Map(
  [
    ['feature_extractor.conv_layers.0.conv.weight', 16, 1, 10] as const,
    ...norm('feature_extractor.conv_layers.0.layer_norm', 16),
    ...norm('feature_projection.layer_norm', 16),
    ...linear('feature_projection.projection', 32, 16),
    ['encoder.pos_conv_embed.conv.bias', 32] as const,
    ['encoder.pos_conv_embed.conv.parametrizations.weight.original0', 1, 1, 16] as const,
    ['encoder.pos_conv_embed.conv.parametrizations.weight.original1', 32, 32, 16] as const,
    ...norm('encoder.layer_norm', 32),
    ...['k_proj', 'v_proj', 'q_proj', 'out_proj'].flatMap((name) =>
      linear(`encoder.layers.0.attention.${name}`, 32, 32),
    ),
    ...norm('encoder.layers.0.layer_norm', 32),
    ...['intermediate_dense', 'output_dense'].flatMap((name) =>
      linear(`encoder.layers.0.feed_forward.${name}`, 32, 32),
    ),
    ...norm('encoder.layers.0.final_layer_norm', 32),
  ].map(([name, ...shape]): [string, TensorInfo] => [name, { dtype: 'F16', shape }]),
);

describe('a module whose children have no weights', () => {
  // Of transformers 5.24 ("auto", 4000 bytes): original0 on the GPU, original1 not.
  it('is split as any other', async () => {
    const map = transformersStrategy({
      tensors: wav2vec2,
      config: { architectures: ['Wav2Vec2Model'], model_type: 'wav2vec2' },
      models: await loadModelTable(),
      budgets: { gpus: new Map([[0, 4000]]), ramBytes: null, diskBytes: 0 },
      dtype: 'float16',
      strategy: 'balanced',
    });
    const above = 'encoder.pos_conv_embed.conv.parametrizations.weight';
    expect([0, 1].map((part) => deviceOf(map, `${above}.original${part}`))).toEqual([0, 'cpu']);
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
