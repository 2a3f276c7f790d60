import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { isDtype } from '../../../tensor/dtype.js';
import { deviceOf, type Device } from '../../map/device-map.js';
import { loadModelTable } from '../../models/load-model-table.js';
import { explainMap } from '../../plan/comparison/explain-map.js';
import { planDeviceMap } from '../../plan/plan-device-map.js';
import { preparePlan } from '../../plan/request/prepare-plan.js';

/** What classes of transformers 5.24 make themselves, recorded by test/fixtures/planner/record_buffers.py. */
const recorded = z
  .object({
    models: z.array(
      z.object({
        model: z.string(),
        config: z.record(z.string(), z.unknown()),
        file: z.record(z.string(), z.tuple([z.string()]).rest(z.number())),
        bytes: z.number(),
        saved: z.record(z.string(), z.number()),
      }),
    ),
  })
  .parse(JSON.parse(readFileSync(new URL('../../../../test/fixtures/planner/buffers.json', import.meta.url), 'utf8')));

const models = await loadModelTable();
const known = recorded.models.map(({ file, ...row }) => ({
  ...row,
  tensors: new Map(
    Object.entries(file).map(([name, [dtype, ...shape]]) => {
      if (!isDtype(dtype)) throw new Error(dtype);
      return [name, { dtype, shape }];
    }),
  ),
}));
type Row = (typeof known)[number];
const rowOf = (model: string): Row => {
  const row = known.find((each) => each.model === model);
  if (row === undefined) throw new Error('recorded');
  return row;
};
const optionsOf = ({ config }: Row) =>
  ({
    config,
    models,
    engine: 'transformers',
    dtype: 'float16',
    budgets: { gpus: new Map([[0, 2 ** 30]]), ramBytes: null, diskBytes: 2 ** 30 },
    workload: { promptTokens: 8, newTokens: 2 },
  }) as const;
const pinned = (row: Row, pins: readonly [string, Device][]) => {
  const result = planDeviceMap(row.tensors, { ...optionsOf(row), pins: new Map(pins) });
  if (result.status !== 'fits') throw new Error('there is room');
  return result;
};

describe('buffers that no file holds', () => {
  it.each(known)('$model: are counted to the byte ($bytes)', (row) => {
    const { profile } = preparePlan(row.tensors, optionsOf(row));
    expect(profile.blocks.reduce((sum, block) => sum + block.bufferBytes, 0)).toBe(row.bytes);
  });

  it('take the memory of the GPU that runs their layers, wherever the weights are', () => {
    const row = rowOf('GPTNeoForCausalLM');
    for (const store of [0, 'cpu', 'disk'] as const) {
      const { plan } = pinned(row, [
        ['', 0],
        ['transformer.h', store],
      ]);
      const [gpu, ...others] = plan.devices;
      expect(gpu?.bufferBytes).toBe(row.bytes);
      expect(others.every(({ bufferBytes }) => bufferBytes === 0)).toBe(true);
    }
  });

  it('and so do those of files, which hooks do not copy', () => {
    const row = rowOf('IBertForMaskedLM');
    const layer = 'ibert.encoder.layer.1';
    const saved = Object.entries(row.saved).reduce(
      (sum, [name, bytes]) => sum + (name.startsWith(layer) ? bytes : 0),
      0,
    );
    const [resident, streamed] = ([0, 'cpu'] as const).map((home) =>
      pinned(row, [
        ['', 0],
        [layer, home],
      ]),
    );
    expect(saved).toBeGreaterThan(0);
    expect(resident?.plan.devices[0]?.bufferBytes).toBe(0);
    expect(streamed?.plan.devices[0]?.bufferBytes).toBe(saved);
    const [, cpu] = streamed?.plan.devices ?? [];
    expect(streamed?.plan.cost.streamedBytesPerCall).toBe((cpu?.weightBytes ?? 0) - saved);
  });

  it.each([
    ['M2M100ForConditionalGeneration', 'model.encoder.embed_positions', 'model.encoder.layers.0'],
    ['XGLMForCausalLM', 'model.embed_positions', 'model.layers.0'],
    ['CTRLLMHeadModel', 'transformer.pos_encoding', 'transformer.h.0'],
  ])('%s: %s goes where its neighbours run, which no hook would do for it', (model, key, layer) => {
    const row = rowOf(model);
    const { map } = pinned(row, [
      ['', 0],
      [layer, 'cpu'],
    ]);
    const streamed = [...row.tensors.keys()].filter(
      (name) => name.startsWith(`${layer}.`) && deviceOf(map, name) === 'cpu',
    );
    expect(streamed).not.toEqual([]);
    expect(deviceOf(map, key)).toBe(0);
    expect(explainMap(map, row.tensors, optionsOf(row)).issues).toEqual([]);
  });
});
