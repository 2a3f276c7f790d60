import { describe, expect, it } from 'vitest';
import type { TensorInfo } from '../../tensor/tensor-info.js';
import { estimateModel } from '../plan/comparison/estimate-model.js';
import { planDeviceMap } from '../plan/plan-device-map.js';
import { loadModelTable } from './load-model-table.js';
import { loadedModel } from './loaded-model.js';
import { quantizationOf } from './quantization.js';

const models = await loadModelTable();
const HIDDEN = 64;
const matrix = (rows: number): TensorInfo => ({ dtype: 'F16', shape: [rows, HIDDEN] });

function llama(layers: number, head: string, rows: number): Map<string, TensorInfo> {
  const inside = ['self_attn.q_proj', 'self_attn.k_proj', 'self_attn.v_proj', 'self_attn.o_proj', 'mlp.up_proj'];
  return new Map([
    ['model.embed_tokens.weight', matrix(512)],
    ...Array.from({ length: layers }, (_, i) =>
      inside.map((part): [string, TensorInfo] => [`model.layers.${i}.${part}.weight`, matrix(HIDDEN)]),
    ).flat(),
    ['model.norm.weight', { dtype: 'F16', shape: [HIDDEN] }],
    [head, matrix(rows)],
  ]);
}

const config = { model_type: 'llama', num_hidden_layers: 3, tie_word_embeddings: false };
const causal = { ...config, architectures: ['LlamaForCausalLM'] };
const warningsOf = (json: object, tensors: ReadonlyMap<string, TensorInfo>): string =>
  (loadedModel(models, json, tensors)?.warnings ?? ['not known']).join('\n');

/** What `from_pretrained` of transformers 5.24 made of such checkpoints of Llama. */
describe('a checkpoint and its config.json', () => {
  it('that agree have nothing said of them', () => {
    expect(warningsOf(causal, llama(3, 'lm_head.weight', 512))).toBe('');
    // The last layer is not built.
    expect(warningsOf(causal, llama(4, 'lm_head.weight', 512))).toBe('');
  });

  it('that counts layers which are not there has a warning, also of its size', () => {
    const part = llama(2, 'lm_head.weight', 512);
    const said = 'counts 3 layers in model.layers, the files hold 2';
    expect(warningsOf(causal, part)).toContain(said);
    expect(estimateModel(part, { config: causal, models }).warnings.join()).toContain(said);
  });

  it('that names a class of somebody else has a warning', () => {
    const named = { ...config, architectures: ['LlamaForSomething'] };
    expect(warningsOf(named, llama(3, 'lm_head.weight', 512))).toContain('LlamaForSomething is not in the table');
  });

  it.each(['LlamaForCausalLM', 'LlamaForSomething'])('%s: a head of its own stays beside the base model', (name) => {
    const tensors = llama(3, 'score.weight', 2);
    const loaded = loadedModel(models, { ...config, architectures: [name] }, tensors);
    expect([...(loaded?.tensors.keys() ?? [])]).toContain('score.weight');
  });

  it('of a classifier is loaded as one, and runs once', () => {
    const options = { config: { ...config, architectures: ['LlamaForSequenceClassification'] }, models } as const;
    const budgets = { gpus: new Map([[0, 2 ** 40]]), ramBytes: null, diskBytes: 0 };
    const result = planDeviceMap(llama(3, 'score.weight', 2), { ...options, engine: 'transformers', budgets });
    if (result.status === 'infeasible') throw new Error('fits');
    expect(result.plan.model).toEqual({ class: 'LlamaForSequenceClassification', use: 'once' });
    expect(result.plan.warnings).toEqual([]);
  });

  // StrictDataclassFieldValidationError, for each of them.
  it('of sizes that are text is said to be refused', () => {
    const tensors = llama(3, 'lm_head.weight', 512);
    expect(warningsOf({ ...causal, num_key_value_heads: '4' }, tensors)).toContain('num_key_value_heads as "4"');
    const counted = warningsOf({ ...causal, num_hidden_layers: '3' }, llama(3, 'lm_head.weight', 512));
    expect(counted.split('num_hidden_layers as "3"')).toHaveLength(2);
    const nested = { ...causal, vision_config: { hidden_size: '64' }, transformers_version: '5' };
    expect(warningsOf(nested, llama(3, 'lm_head.weight', 512))).toContain('vision_config.hidden_size as "64"');
    // Fields that a class has not are kept as they are, and a quantiser's are not looked at.
    expect(warningsOf(nested, llama(3, 'lm_head.weight', 512))).toContain('refuses where its class has that field');
    const packed = { ...causal, quantization_config: { quant_method: 'gptq', bits: 4, group_size: '128' } };
    expect(warningsOf(packed, llama(3, 'lm_head.weight', 512))).not.toContain('group_size as');
  });

  // What from_pretrained made of them: MLX's and nf4 fail by their shapes, the others load without a word, and their scales are left out.
  it.each([
    ['MLX', { dtype: 'U32', shape: [HIDDEN, HIDDEN / 8] }, 'scales'],
    ['nf4', { dtype: 'U8', shape: [(HIDDEN * HIDDEN) / 2, 1] }, 'weight.absmax'],
    ['int8 of bitsandbytes', { dtype: 'I8', shape: [HIDDEN, HIDDEN] }, 'SCB'],
    ['ModelOpt', { dtype: 'F8_E4M3', shape: [HIDDEN, HIDDEN] }, 'weight_scale'],
    ['blocks of FP8', { dtype: 'F8_E4M3', shape: [HIDDEN, HIDDEN] }, 'weight_scale_inv'],
  ] satisfies [string, TensorInfo, string][])('of %s, without a word of it, has a warning', (_, weight, scale) => {
    const up = 'model.layers.1.mlp.up_proj';
    const tensors = llama(3, 'lm_head.weight', 512).set(`${up}.weight`, weight);
    expect(warningsOf(causal, tensors)).toBe('');
    tensors.set(`${up}.${scale}`, { dtype: 'F16', shape: [HIDDEN] });
    expect(warningsOf(causal, new Map(tensors))).toContain(
      `${up}.weight as ${weight.dtype} beside ${up}.${scale}, and config.json has no quantization_config`,
    );
    const described = { ...causal, quantization_config: { quant_method: 'fp8' } };
    expect(warningsOf(described, new Map(tensors))).toBe('');
  });

  it('of MLX, whose quantization_config names no method, is said to be refused', () => {
    const mlx = { ...causal, quantization_config: { group_size: 32, bits: 4 } };
    const budgets = { gpus: new Map([[0, 2 ** 40]]), ramBytes: null, diskBytes: 0 };
    const options = { config: mlx, models, engine: 'transformers', budgets } as const;
    const result = planDeviceMap(llama(3, 'lm_head.weight', 512), options);
    if (result.status === 'infeasible') throw new Error('fits');
    expect(result.plan.warnings).toContainEqual(expect.stringContaining('refuses a quantization_config without'));
    expect(result.plan.assumptions).toContain('Weights are counted as they are stored.');
  });

  it('says of bitsandbytes that nothing is quantised', () => {
    const off = { quant_method: 'bitsandbytes', load_in_4bit: false, load_in_8bit: false };
    expect(quantizationOf({ ...causal, quantization_config: off }, 'transformers')).toBeNull();
    expect(
      quantizationOf({ ...causal, quantization_config: { ...off, load_in_8bit: true } }, 'transformers'),
    ).toMatchObject({ method: 'bitsandbytes' });
  });
});
