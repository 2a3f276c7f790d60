import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import * as z from 'zod';
import type { Dtype } from '../../../tensor/dtype.js';
import type { Device } from '../../map/device-map.js';
import { loadModelTable } from '../../models/load-model-table.js';
import { explainMap } from './explain-map.js';

const FIXTURE = new URL('../../../../test/fixtures/planner/strategies.json', import.meta.url);
const { models } = z
  .object({
    models: z.array(
      z.object({
        model: z.string(),
        config: z.record(z.string(), z.unknown()),
        file: z.record(z.string(), z.array(z.union([z.string(), z.number()]))),
      }),
    ),
  })
  .parse(JSON.parse(readFileSync(FIXTURE, 'utf8')));
const m2m100 = models.find(({ model }) => model === 'M2M100ForConditionalGeneration');
const tensors = new Map(
  Object.entries(m2m100?.file ?? {}).map(([name, [dtype, ...shape]]) => [
    name,
    { dtype: dtype as Dtype, shape: shape.map(Number) },
  ]),
);
const table = await loadModelTable();

/** The map of findings/transformers-uncovered-buffers.sh, which transformers 5.24 takes and fails by: a key for each module with weights. */
const modules = new Set([...tensors.keys(), 'lm_head.weight'].map((name) => name.slice(0, name.lastIndexOf('.'))));
const weights = [...modules].map((name): [string, Device] => [
  name,
  name.startsWith('model.encoder.layers.0.') ? 'cpu' : 0,
]);

function warningsOf(map: ReadonlyMap<string, Device>): string {
  const budgets = { gpus: new Map([[0, 2 ** 40]]), ramBytes: null, diskBytes: 0 };
  const options = { config: m2m100?.config, models: table, engine: 'transformers', budgets } as const;
  const { plan, issues } = explainMap(map, tensors, options);
  expect(issues).toEqual([]);
  return plan?.warnings.join('\n') ?? '';
}

it('says what no key covers, and the keys that are missing', () => {
  const said = warningsOf(new Map(weights));
  expect(said).toContain('model.encoder.embed_positions');
  const missing = /Add (.*)\./.exec(said)?.[1] ?? '';
  expect(JSON.parse(`{${missing}}`)).toEqual({
    'model.encoder.embed_positions': 0,
    'model.decoder.embed_positions': 0,
  });
  const mended = new Map([...weights, ...Object.entries(JSON.parse(`{${missing}}`) as Record<string, Device>)]);
  expect(warningsOf(mended)).not.toContain('No key covers');
});

it('says nothing where a key above covers them, or all is on one device', () => {
  const above = new Map<string, Device>([
    ...weights.filter(([name]) => !name.startsWith('model.encoder.')).map(([name]): [string, Device] => [name, 0]),
    ['model.encoder', 0],
    ['model.decoder.embed_positions', 0],
    ['model.decoder.layers', 'cpu'],
  ]);
  for (const [key] of weights) if (key.startsWith('model.decoder.layers.')) above.delete(key);
  for (const map of [above, new Map([['', 0]]), new Map(weights.map(([name]) => [name, 0]))]) {
    expect(warningsOf(map)).not.toContain('No key covers');
  }
});
