import { describe, expect, it } from 'vitest';
import type { TensorInfo } from '../../tensor/tensor-info.js';
import { preparePlan } from '../plan/request/prepare-plan.js';
import { holesIn, type ListEnd } from './layer-holes.js';
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

  // As transformers 5.24 says of such files: `missing_keys` of `from_pretrained(..., output_loading_info=True)`.
  it.each([0, LAYERS - 1])('are counted and said of the first and of the last layer too: %i', (at) => {
    const { made, warnings } = without([at, 'mlp.up_proj']);
    expect(made).toBe(1);
    expect(warnings.join('\n')).toContain(`The files lack model.layers.${at}.mlp.up_proj.weight`);
  });

  it('are none where all are there, or an end does without by design', () => {
    expect([without().made, without().warnings]).toEqual([0, []]);
    const layers = (parts: (at: number) => readonly string[]) =>
      new Map(Array.from({ length: LAYERS }, (_, at) => [at, parts(at).map((part) => `layers.${at}.${part}`)]));
    const withoutNorm = (end: number) => layers((at) => (at === end ? ['mlp.weight'] : ['mlp.weight', 'norm.weight']));
    const found = (end: number, ...lesserEnds: ListEnd[]) =>
      holesIn(withoutNorm(end), {}, { start: 'layers.', lesserEnds }).map(({ name }) => name);
    expect([found(0, 'first'), found(7, 'last'), found(0, 'last')]).toEqual([[], [], ['layers.0.norm.weight']]);
    // What only it has tells a first layer from the others, as T5's table of distances does.
    const first = layers((at) => (at === 0 ? ['mlp.weight', 'bias.weight'] : ['mlp.weight', 'norm.weight']));
    expect(holesIn(first, {}, { start: 'layers.', lesserEnds: [] })).toEqual([]);
  });

  it('are none of the classes whose first or last layer transformers builds with less', () => {
    const endsOf = (name: string) => models.classOf(name)?.counted.flatMap(({ lesserEnds }) => lesserEnds);
    expect(endsOf('ModernBertForMaskedLM')).toEqual(['first']);
    expect(endsOf('InklingForConditionalGeneration')).toContain('last');
    expect(endsOf('LlamaForCausalLM')).toEqual([]);
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
