import { describe, expect, it } from 'vitest';
import type { TensorInfo } from '../../tensor/tensor-info.js';
import { preparePlan } from '../plan/request/prepare-plan.js';
import { loadModelTable } from './load-model-table.js';

const models = await loadModelTable();
const LAYERS = 8;
const linear: TensorInfo = { dtype: 'F16', shape: [64, 64] };
const BYTES = 2 * 64 * 64;

/** What a plan counts and says of a file with these tensors in its layers, which transformers loads with as many made anew as `made`. */
function planned(partsOf: (layer: number) => readonly string[], more: object = {}) {
  const names = ['model.embed_tokens', 'model.norm', 'lm_head'].concat(
    Array.from({ length: LAYERS }, (_, i) => partsOf(i).map((part) => `model.layers.${i}.${part}`)).flat(),
  );
  const tensors = new Map(names.map((name): [string, TensorInfo] => [`${name}.weight`, linear]));
  const config = { architectures: ['LlamaForCausalLM'], model_type: 'llama', num_hidden_layers: LAYERS, ...more };
  const budgets = { gpus: new Map([[0, 2 ** 40]]), ramBytes: null, diskBytes: 0 };
  const { profile } = preparePlan(tensors, { config, models, engine: 'transformers', budgets });
  return { made: profile.weightBytes / BYTES - names.length, warnings: profile.warnings, blocks: profile.blocks };
}

const PARTS = ['self_attn.q_proj', 'self_attn.o_proj', 'mlp.up_proj'];
const without = (...gone: readonly [layer: number, part: string][]) =>
  planned((layer) => PARTS.filter((part) => !gone.some(([at, what]) => at === layer && what === part)));

describe('tensors that a layer lacks and the others have', () => {
  it('are counted and said, as transformers makes them anew', () => {
    const { made, warnings, blocks } = without([3, 'mlp.up_proj']);
    expect(made).toBe(1);
    expect(warnings.join('\n')).toContain(
      'The files lack model.layers.3.mlp.up_proj.weight, which the other layers have',
    );
    // Nothing is on the disk to be read from there.
    expect(blocks.find(({ name }) => name === 'model.layers.3')?.stores).toEqual(['cpu']);
    const module = without([5, 'self_attn.q_proj'], [5, 'self_attn.o_proj']);
    expect(module.made).toBe(2);
    expect(module.warnings.join('\n')).toContain('and 1 more');
  });

  it('are none where all are there, or the first or the last layer differs', () => {
    for (const { made, warnings } of [without(), without([0, 'mlp.up_proj']), without([LAYERS - 1, 'mlp.up_proj'])])
      expect([made, warnings]).toEqual([0, []]);
  });

  it('are none where several differ, or a layer of another kind stands amidst', () => {
    const shared = without(...[4, 5, 6].map((i): [number, string] => [i, 'self_attn.q_proj']));
    const experts = planned((i) => (i === 3 ? ['self_attn.q_proj', 'mlp.experts.0.up_proj'] : PARTS));
    const kinds = planned((i) => (i === 3 ? PARTS.slice(1) : PARTS), {
      layer_types: Array.from({ length: LAYERS }, (_, i) => (i === 3 ? 'full_attention' : 'sliding_attention')),
    });
    const packed = planned((i) => (i === 3 ? PARTS : [...PARTS, 'mlp.up_proj.weight.absmax']), {
      quantization_config: { quant_method: 'bitsandbytes', load_in_4bit: true },
    });
    for (const { made, warnings } of [shared, experts, kinds, packed]) expect([made, warnings]).toEqual([0, []]);
  });
});
