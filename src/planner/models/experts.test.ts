import { describe, expect, it } from 'vitest';
import type { Dtype } from '../../tensor/dtype.js';
import type { TensorInfo } from '../../tensor/tensor-info.js';
import { deviceOf } from '../map/device-map.js';
import { conflictingReadings } from '../map/prefix-readings.js';
import { preparePlan } from '../plan/request/prepare-plan.js';
import { explainMap } from '../plan/comparison/explain-map.js';
import { planDeviceMap } from '../plan/plan-device-map.js';
import type { PlanOptions } from '../plan/request/plan-options.js';
import { KNOWN_GPUS, UNKNOWN_HOST } from '../price/known-devices.js';
import { loadedModel } from './loaded-model.js';
import { loadModelTable } from './load-model-table.js';

const LAYERS = 4;
const EXPERTS = 16;
const CHOSEN = 2;
const [HIDDEN, INNER] = [512, 256];
/** Of a layer: gate, up and down of every expert, float16. */
const FUSED_BYTES = EXPERTS * 3 * HIDDEN * INNER * 2;

const config = {
  architectures: ['Qwen3MoeForCausalLM'],
  model_type: 'qwen3_moe',
  num_hidden_layers: LAYERS,
  num_experts: EXPERTS,
  num_experts_per_tok: CHOSEN,
  tie_word_embeddings: false,
};
const models = await loadModelTable();
const tensors = new Map(stored());

/** A mixture of experts under the names of its file. */
function* stored(): Generator<[string, TensorInfo]> {
  const weight = (name: string, ...shape: number[]): [string, TensorInfo] => {
    const dtype: Dtype = 'F16';
    return [`${name}.weight`, { dtype, shape }];
  };
  yield weight('model.embed_tokens', 1000, HIDDEN);
  for (let i = 0; i < LAYERS; i++) {
    const layer = `model.layers.${i}`;
    for (const each of ['q_proj', 'k_proj', 'v_proj', 'o_proj'])
      yield weight(`${layer}.self_attn.${each}`, HIDDEN, HIDDEN);
    for (let e = 0; e < EXPERTS; e++) {
      yield weight(`${layer}.mlp.experts.${e}.gate_proj`, INNER, HIDDEN);
      yield weight(`${layer}.mlp.experts.${e}.up_proj`, INNER, HIDDEN);
      yield weight(`${layer}.mlp.experts.${e}.down_proj`, HIDDEN, INNER);
    }
    yield weight(`${layer}.mlp.gate`, EXPERTS, HIDDEN);
    yield weight(`${layer}.input_layernorm`, HIDDEN);
    yield weight(`${layer}.post_attention_layernorm`, HIDDEN);
  }
  yield weight('model.norm', HIDDEN);
  yield weight('lm_head', 1000, HIDDEN);
}

const gpu = KNOWN_GPUS.get('RTX 4090');
if (gpu === undefined) throw new Error('known');
const overhead = gpu.engines['blip2-run'].workspaceBytes;
const all = [...tensors.values()].reduce((sum, { shape }) => sum + 2 * shape.reduce((a, b) => a * b, 1), 0);
const machine = { gpus: [gpu], host: UNKNOWN_HOST };
const optionsFor = (engine: 'transformers' | 'blip2-run', bytes: number): PlanOptions => ({
  config,
  models,
  engine,
  dtype: 'float16',
  machine,
  budgets: { gpus: new Map([[0, overhead + bytes]]), ramBytes: null, diskBytes: 0 },
  workload: { promptTokens: 1, newTokens: 64 },
});

describe('a mixture of experts', () => {
  it('under transformers is streamed by layers whose largest module is all of their experts', () => {
    const { profile } = preparePlan(tensors, optionsFor('transformers', all));
    const layers = profile.blocks.filter(({ kind }) => kind === 'block');
    expect(layers.map(({ name }) => name)).toEqual([0, 1, 2, 3].map((i) => `model.layers.${i}`));
    for (const { largestLeafBytes, runs } of layers) {
      expect(largestLeafBytes).toBe(FUSED_BYTES);
      const token = runs.find(({ phase }) => phase === 'token');
      // A copy brings all of them; where they live, a token reads those that it is sent to.
      expect(token?.streamedBytes).toBeGreaterThan(FUSED_BYTES);
      expect((token?.streamedBytes ?? 0) - (token?.readBytes ?? 0)).toBeCloseTo(
        FUSED_BYTES * (1 - CHOSEN / EXPERTS),
        0,
      );
    }
  });

  it.each(['loaded', 'file'] as const)(
    'for engines that can, has attention on the GPU and experts in host memory: %s names',
    (names) => {
      const options = { ...optionsFor('blip2-run', all - LAYERS * FUSED_BYTES + 4 * 2 ** 20), names };
      const result = planDeviceMap(tensors, options);
      if (result.status !== 'fits') throw new Error('RAM has no limit');
      const { map } = result;
      const known = loadedModel(models, config, tensors)?.sources ?? new Map<string, readonly string[]>();
      const placed = names === 'file' ? [...tensors.keys()] : [...known.keys()];
      expect(conflictingReadings(map, placed)).toEqual([]);
      for (const name of placed) {
        const isExpert = name.includes('.experts.');
        const isTable = name.startsWith('model.embed_tokens');
        // Single experts fill the room that is left.
        if (!isTable && !(isExpert && names === 'file'))
          expect([name, deviceOf(map, name)]).toEqual([name, isExpert ? 'cpu' : 0]);
      }
      expect(result.plan.devices.reduce((sum, { weightBytes }) => sum + weightBytes, 0)).toBe(all);
      expect(explainMap(map, tensors, options)).toMatchObject({
        issues: [],
        overBudget: [],
        plan: { cost: result.plan.cost },
      });
    },
  );

  it('by the names of the file are blocks of their own: with room for half of them, a token copies what it misses', () => {
    const options = {
      ...optionsFor('blip2-run', all - (LAYERS * FUSED_BYTES) / 2 + 8 * 2 ** 20),
      names: 'file',
    } as const;
    // A host that no plan leaves work to.
    const host = { ...UNKNOWN_HOST, memoryBytesPerSecond: 1e6, flopsPerSecond: 1e6 };
    const result = planDeviceMap(tensors, { ...options, machine: { gpus: [gpu], host } });
    if (result.status !== 'fits') throw new Error('RAM has no limit');
    const { placements, cost } = result.plan;
    const single = placements.filter(({ block }) => /\.experts\.\d+$/.test(block));
    const missed = single.filter(({ execution }) => execution === 'streamed');
    expect(single).toHaveLength(LAYERS * EXPERTS);
    expect(placements.filter(({ execution }) => execution === 'streamed')).toHaveLength(missed.length);
    expect(missed.length).toBeLessThanOrEqual(single.length / 2);
    expect(missed.length).toBeGreaterThan(0);
    const counted = copiedByRouting(missed, 4000);
    expect(cost.streamedBytesPerToken / counted).toBeGreaterThan(0.97);
    expect(cost.streamedBytesPerToken / counted).toBeLessThan(1.03);
    expect(explainMap(result.map, tensors, { ...options, machine: { gpus: [gpu], host } }).plan?.cost).toEqual(cost);
  });
});

/** Bytes that a token copies, on average, where each layer sends it to some of its experts by chance. */
function copiedByRouting(
  missed: readonly { readonly block: string; readonly weightBytes: number }[],
  tokens: number,
): number {
  const bytes = new Map(missed.map(({ block, weightBytes }) => [block, weightBytes]));
  let state = 1;
  const below = (most: number): number => {
    state = (state * 48271) % 2147483647;
    return Math.floor((state / 2147483647) * most);
  };
  let copied = 0;
  for (let token = 0; token < tokens; token++) {
    for (let layer = 0; layer < LAYERS; layer++) {
      const chosen = new Set<number>();
      while (chosen.size < CHOSEN) chosen.add(below(EXPERTS));
      for (const e of chosen) copied += bytes.get(`model.layers.${layer}.mlp.experts.${e}`) ?? 0;
    }
  }
  return copied / tokens;
}
