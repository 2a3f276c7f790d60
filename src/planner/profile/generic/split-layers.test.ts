import { describe, expect, it } from 'vitest';
import type { TensorInfo } from '../../../tensor/tensor-info.js';
import { deviceOf, type Device, type DeviceMap } from '../../map/device-map.js';
import { loadModelTable } from '../../models/load-model-table.js';
import { explainMap } from '../../plan/comparison/explain-map.js';
import { planDeviceMap } from '../../plan/plan-device-map.js';
import type { PlanOptions } from '../../plan/request/plan-options.js';
import { KNOWN_GPUS, UNKNOWN_HOST } from '../../price/known-devices.js';

const models = await loadModelTable();
const card = KNOWN_GPUS.get('RTX 4090');
if (card === undefined) throw new Error('known');
// A host that no plan leaves work to.
const machine = { gpus: [card], host: { ...UNKNOWN_HOST, memoryBytesPerSecond: 1e6, flopsPerSecond: 1e6 } };

const overhead = card.engines.transformers.workspaceBytes;
const LAYERS = 3;
const ROWS = 16_000;
const [WIDTH, INNER] = [1024, 4096];
const LAYER_BYTES = 2 * (4 * WIDTH * WIDTH + 2 * WIDTH * INNER + WIDTH);

/** A file of DistilBERT, whose class names no module that must stay whole. */
const tensors = new Map<string, TensorInfo>([
  ['distilbert.embeddings.word_embeddings.weight', { dtype: 'F16', shape: [ROWS, WIDTH] }],
  ...Array.from({ length: LAYERS }, (_, i) => `distilbert.transformer.layer.${i}`).flatMap((layer) => [
    ...['q_lin', 'k_lin', 'v_lin', 'out_lin'].map((each): [string, TensorInfo] => [
      `${layer}.attention.${each}.weight`,
      { dtype: 'F16', shape: [WIDTH, WIDTH] },
    ]),
    [`${layer}.ffn.lin1.weight`, { dtype: 'F16', shape: [INNER, WIDTH] }] as [string, TensorInfo],
    [`${layer}.ffn.lin2.weight`, { dtype: 'F16', shape: [WIDTH, INNER] }] as [string, TensorInfo],
    [`${layer}.sa_layer_norm.weight`, { dtype: 'F16', shape: [WIDTH] }] as [string, TensorInfo],
  ]),
  ['vocab_projector.bias', { dtype: 'F16', shape: [ROWS] }],
]);
const config = { architectures: ['DistilBertForMaskedLM'], model_type: 'distilbert' };

function planOn(gpuBytes: readonly number[], pins: DeviceMap = new Map()) {
  const budgets = { gpus: new Map(gpuBytes.map((bytes, id) => [id, bytes])), ramBytes: null, diskBytes: 0 };
  const options: PlanOptions = {
    config,
    models,
    engine: 'transformers',
    machine,
    budgets,
    workload: { promptTokens: 8 },
    pins,
  };
  const result = planDeviceMap(tensors, options);
  if (result.status !== 'fits') throw new Error('RAM has no limit');
  const homes = Array.from({ length: LAYERS }, (_, i) => {
    const own = [...tensors.keys()].filter((name) => name.startsWith(`distilbert.transformer.layer.${i}.`));
    return new Set(own.map((name) => deviceOf(result.map, name)));
  });
  return { ...result, options, homes };
}

describe('layers that their class does not want whole', () => {
  const lessThanTwo = overhead + Math.ceil(2.2 * LAYER_BYTES) + 2 * ROWS * WIDTH;

  it('are split on one GPU, which leaves room for less than a layer empty', () => {
    const { homes, map, plan, options } = planOn([lessThanTwo]);
    expect(homes.some((devices) => devices.size > 1)).toBe(true);
    const { streamedBytesPerCall } = plan.cost;
    expect(streamedBytesPerCall).toBeGreaterThan(0);
    expect(streamedBytesPerCall % LAYER_BYTES).not.toBe(0);
    const explained = explainMap(map, tensors, options);
    expect(explained.issues).toEqual([]);
    expect(explained.plan?.cost).toEqual(plan.cost);
    expect(explained.plan?.devices).toEqual(plan.devices);
  });

  it('stay whole on two, between which no hook carries what a layer adds to its input', () => {
    const { homes, map } = planOn(
      [lessThanTwo, overhead + 2 * LAYER_BYTES],
      new Map<string, Device>([
        ['distilbert.transformer.layer.1', 1],
        ['distilbert.transformer.layer.2', 'cpu'],
      ]),
    );
    expect(new Set(map.values())).toEqual(new Set([0, 1, 'cpu']));
    expect(homes.map((devices) => devices.size)).toEqual([1, 1, 1]);
  });
});

describe('a budget that a map fills to the last byte', () => {
  it('is enough to plan it: nothing more is held on the GPU to make it the one that runs', () => {
    const map = new Map<string, Device>(
      [...tensors.keys()].map((name) => [name.slice(0, name.lastIndexOf('.')), 'cpu']),
    );
    // The tied table, twice as much to copy as anything else.
    for (const module of ['distilbert.embeddings.word_embeddings', 'vocab_projector']) map.set(module, 0);
    const { options } = planOn([2 ** 30]);
    const explained = explainMap(map, tensors, options);
    const [gpu] = explained.plan?.devices ?? [];
    if (gpu?.freeBytes == null || explained.plan === null) throw new Error('a budget was given');
    const { plan } = planOn([2 ** 30 - gpu.freeBytes]);
    expect(plan.cost.latencyMs).toBeLessThanOrEqual(explained.plan.cost.latencyMs);
  });
});

describe('a map that cuts a layer', () => {
  const WHOLE = 'longformer.encoder.layer.0.attention.self';
  const weights = [
    'longformer.embeddings.word_embeddings',
    ...['query', 'key', 'value'].map((each) => `${WHOLE}.${each}`),
    ...['attention.output', 'intermediate', 'output'].map((each) => `longformer.encoder.layer.0.${each}.dense`),
    'lm_head.dense',
    'lm_head.decoder',
  ];
  const file = new Map(
    weights.map((name): [string, TensorInfo] => [`${name}.weight`, { dtype: 'F16', shape: [64, 64] }]),
  );
  const options: PlanOptions = {
    config: { architectures: ['LongformerForMaskedLM'], model_type: 'longformer', tie_word_embeddings: false },
    models,
    engine: 'transformers',
    machine,
    budgets: { gpus: new Map([[0, 2 ** 30]]), ramBytes: null, diskBytes: 0 },
  };
  const explained = (...offloaded: string[]) =>
    explainMap(
      new Map<string, Device>([
        ['longformer', 0],
        ['lm_head', 0],
        ...offloaded.map((name): [string, Device] => [name, 'cpu']),
      ]),
      file,
      options,
    );

  it('is sound where the class wants only parts of it whole, and priced by those', () => {
    const { issues, plan } = explained('longformer.encoder.layer.0.intermediate');
    expect(issues).toEqual([]);
    expect(plan?.cost.streamedBytesPerCall).toBe(2 * 64 * 64);
  });

  // What streams to the only GPU runs there: transformers answers the same.
  it('is sound on one GPU where such a part is cut, too, and counts what it keeps', () => {
    const { issues, plan } = explained(`${WHOLE}.query`);
    expect(issues).toEqual([]);
    expect(plan?.cost.streamedBytesPerCall).toBe(2 * 64 * 64);
    const bytes = 2 * 64 * 64 * weights.length;
    expect(plan?.devices.map(({ id, weightBytes }) => [id, weightBytes])).toEqual([
      [0, bytes - 2 * 64 * 64],
      ['cpu', 2 * 64 * 64],
      ['disk', 0],
    ]);
  });

  it('is not beside another GPU', () => {
    const cut = (keys: readonly (readonly [string, Device])[]) =>
      explainMap(new Map<string, Device>([['longformer', 0], ['lm_head', 0], ...keys]), file, options).issues.map(
        ({ code }) => code,
      );
    expect(cut([[`${WHOLE}.query`, 1]])).toEqual(['MAP_BLOCK_CUT']);
    expect(
      cut([
        [`${WHOLE}.query`, 'cpu'],
        ['lm_head.dense', 1],
      ]),
    ).toEqual(['MAP_BLOCK_CUT']);
  });
});
