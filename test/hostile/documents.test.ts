/** Plans, device maps and indexes that nobody should follow. */
import { expect, it } from 'vitest';
import { Blip2Error } from '../../src/errors.js';
import { openCheckpoint } from '../../src/loader/index.js';
import { parseDeviceMap, parsePlan, planDeviceMap } from '../../src/planner/index.js';
import type { PlanDocument } from '../../src/planner/plan/document/plan-document.js';
import { readPlan } from '../../src/planner/plan/document/read-plan.js';
import { createCaptioner } from '../../src/runtime/captioner/captioner.js';
import { DEMO } from '../golden/golden.js';
import { captionWith, changed, demoJson, RIGHT, type Json } from './hostile-checkpoint.js';

const checkpoint = await openCheckpoint(DEMO);
const planned = planDeviceMap(checkpoint.tensors, {
  config: checkpoint.config,
  budgets: { gpus: new Map([[0, 2 ** 23]]), ramBytes: null, diskBytes: 0 },
});
if (planned.status !== 'fits') throw new Error('the demo does not fit');
const plan = JSON.parse(JSON.stringify(planned.plan)) as Json;
const index = await demoJson('model.safetensors.index.json');

const codeOf = (read: () => unknown): string => {
  try {
    read();
  } catch (error) {
    if (error instanceof Blip2Error) return error.code;
    throw error;
  }
  return 'read';
};

it('the plan as it is', () => {
  expect(codeOf(() => [parsePlan(plan), readPlan(plan)])).toBe('read');
});

it.each<Readonly<Record<string, unknown>>>([
  { devices: [] },
  { placements: [] },
  { 'devices.0.budgetBytes': -1 },
  { 'devices.0.weightBytes': -5 },
  { 'placements.0.block': 7 },
  { 'placements.0.runsOn': 'tpu' },
  { 'checkpoint.fingerprint': 5 },
  { checkpoint: null },
  { quant: { a: 'int3' } },
  { quant: [] },
  { schema: 'plan/9' },
])('both readers refuse a plan with %j', (changes) => {
  expect(codeOf(() => parsePlan(changed(plan, changes)))).toBe('PLAN_INVALID');
  expect(codeOf(() => readPlan(changed(plan, changes)))).toBe('PLAN_INVALID');
});

it.each<Readonly<Record<string, unknown>>>([
  { 'devices.0.freeBytes': -0.5 },
  { 'devices.0.cacheBytes': 0.5 },
  { 'devices.0.id': -1 },
  { 'devices.0.id': 'gpu' },
  { 'placements.0.weightBytes': -1 },
  { 'placements.0.latencyMs': -1 },
  { 'placements.0.phase': 'later' },
  { 'placements.0.execution': 'dreamt' },
  { 'cost.latencyMs': -3 },
  { 'cost.streamedBytesPerToken': -3 },
  { 'workload.batch': -2 },
  { 'workload.beams': 1.5 },
  { 'solver.status': 'maybe' },
  { dtype: 'float8' },
  { engine: 'python' },
  { tool: undefined },
  { warnings: 'none' },
  { crossings: {} },
  { cost: [] },
])('a plan with %j is refused', (changes) => {
  expect(codeOf(() => parsePlan(changed(plan, changes)))).toBe('PLAN_INVALID');
});

it('says the number that is wrong', () => {
  expect(() => parsePlan(changed(plan, { 'devices.0.budgetBytes': -17 }))).toThrow(/budgetBytes: -17 is less than 0/);
});

const many = (count: number): Json =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`language_model.layers.${i}`, 'cpu']));

it.each<readonly [string, unknown, string]>([
  ['null', null, 'MAP_NOT_OBJECT'],
  ['a list', [], 'MAP_NOT_OBJECT'],
  ['a number', 5, 'MAP_NOT_OBJECT'],
  ['no entries', {}, 'MAP_EMPTY'],
  ['200,000 entries', many(200_000), 'MAP_TOO_LARGE'],
  ['a negative device', { '': -1 }, 'MAP_DEVICE'],
  ['half a device', { '': 0.5 }, 'MAP_DEVICE'],
  ['a device of 1e300', { '': 1e300 }, 'MAP_DEVICE'],
  ['no device', { '': null }, 'MAP_DEVICE'],
  ['a device that is a map', { '': { '': 0 } }, 'MAP_DEVICE'],
  ['an unknown device', { '': 'tpu' }, 'MAP_DEVICE'],
  ['a device that is not there', { '': 'meta' }, 'MAP_DEVICE'],
  ['dots', { '..': 0 }, 'MAP_KEY'],
  ['a blank', { 'vision model': 0 }, 'MAP_KEY'],
  ['a break', { 'a\nb': 0 }, 'MAP_KEY'],
  ['two spellings', { a: 0, b: 'cuda:0' }, 'MAP_MIXED_DEVICES'],
])('a map: %s', (_, map, code) => {
  expect(codeOf(() => readPlan(map))).toBe(code);
});

it.each<readonly [string, Json, string]>([
  ['a plan for nothing', { ...plan, device_map: {} }, 'MAP_EMPTY'],
  ['a block cut in two', { '': 'cpu', 'vision_model.encoder.layers.0.mlp.fc1': 'disk' }, 'MAP_BLOCK_CUT'],
  [
    'another model',
    changed(plan, { 'checkpoint.fingerprint': 'f'.repeat(64), 'placements.0.weightBytes': 1 }),
    'PLAN_MISMATCH',
  ],
  ['a module that nobody has', { language_model: 'cpu', constructor: 'cpu' }, 'MAP_UNCOVERED'],
])('nothing runs by %s', async (_, given, code) => {
  const creating = createCaptioner(checkpoint, {
    plan: 'schema' in given ? (given as unknown as PlanDocument) : parseDeviceMap(given),
    inProcess: true,
    threads: 1,
  });
  await expect(creating).rejects.toMatchObject({ code });
});

it.each([33, 200])('%i GPUs are more than a plan is made for', (count) => {
  const gpus = new Map(Array.from({ length: count }, (_, id) => [id, 2 ** 30]));
  const { tensors, config } = checkpoint;
  const plans = () => planDeviceMap(tensors, { config, budgets: { gpus, ramBytes: null, diskBytes: 0 } });
  expect(codeOf(plans)).toBe('BUDGET_INVALID');
});

const shards = (count: number): Json =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`t${i}`, `${i}.safetensors`]));
const first = Object.keys(index['weight_map'] as Json)[0] ?? '';

it.each<readonly [string, string, string]>([
  ['as it is', JSON.stringify(index), RIGHT],
  ['nothing', '', 'INDEX_INVALID'],
  ['null', 'null', 'INDEX_INVALID'],
  ['a list', '[]', 'INDEX_INVALID'],
  ['no weight_map', '{"metadata":{}}', 'INDEX_INVALID'],
  ['an empty weight_map', '{"metadata":{},"weight_map":{}}', 'INDEX_INVALID'],
  ['a list of weights', '{"weight_map":[]}', 'INDEX_INVALID'],
  ['half', JSON.stringify(index).slice(0, 500), 'INDEX_INVALID'],
  ['100,000 brackets', `{"weight_map":${'['.repeat(100_000)}`, 'INDEX_INVALID'],
  ['100,000 levels beside the weights', JSON.stringify(index).replace('{', `{"a":${'['.repeat(100_000)}${']'.repeat(100_000)},`), 'INDEX_INVALID'],
  ['300,000 shards', JSON.stringify({ metadata: {}, weight_map: shards(300_000) }), 'INDEX_INVALID'],
  ['33 MB', JSON.stringify({ ...index, padding: 'x'.repeat(33_000_000) }), 'INDEX_INVALID'],
  ['a missing shard', JSON.stringify({ metadata: {}, weight_map: shards(2) }), 'MISSING_SHARD'],
  ['a shard outside', JSON.stringify(withShard('../x.safetensors')), 'UNSAFE_SHARD_PATH'],
  ['a shard from the root', JSON.stringify(withShard('/x.safetensors')), 'UNSAFE_SHARD_PATH'],
  ['a shard of another kind', JSON.stringify(withShard('x.bin')), 'UNSAFE_SHARD_PATH'],
  ['a shard that is a device', JSON.stringify(withShard('/dev/zero')), 'UNSAFE_SHARD_PATH'],
  ['a shard that is a number', JSON.stringify(withShard(5)), 'INDEX_INVALID'],
  ['a shard of NUL', JSON.stringify(withShard('a\0.safetensors')), 'UNSAFE_SHARD_PATH'],
  ['the wrong shard', JSON.stringify(withShard('model-00003-of-00003.safetensors')), 'INDEX_MISMATCH'],
  ['a key twice', '{"weight_map":{"a":"b.safetensors","a":"b.safetensors"}}', 'DUPLICATE_KEY'],
])('an index: %s', async (_, text, expected) => {
  expect(await captionWith({ 'model.safetensors.index.json': text })).toBe(expected);
}); // prettier-ignore

function withShard(shard: unknown): Json {
  return { ...index, weight_map: { ...(index['weight_map'] as Json), [first]: shard } };
}
