import { describe, expect, it } from 'vitest';
import type { Dtype } from '../../tensor/dtype.js';
import type { TensorInfo } from '../../tensor/tensor-info.js';
import { preparePlan } from '../plan/request/prepare-plan.js';
import { loadedModel } from './loaded-model.js';
import { loadModelTable } from './load-model-table.js';

const table = await loadModelTable();
const HIDDEN = 64;

type Row = readonly [name: string, dtype: Dtype, ...shape: number[]];

function tensors(...rows: readonly Row[]): Map<string, TensorInfo> {
  return new Map(rows.map(([name, dtype, ...shape]) => [name, { dtype, shape }]));
}

function layersOf(prefix: string, count: number): Row[] {
  return Array.from({ length: count }, (_, i): Row[] => [
    ...['q_proj', 'k_proj', 'v_proj', 'o_proj'].map((each): Row => [
      `${prefix}.${i}.self_attn.${each}.weight`,
      'BF16',
      HIDDEN,
      HIDDEN,
    ]),
    [`${prefix}.${i}.input_layernorm.weight`, 'BF16', HIDDEN],
  ]).flat();
}

const text: Row[] = [
  ['model.embed_tokens.weight', 'BF16', 512, HIDDEN],
  ...layersOf('model.layers', 2),
  ['model.norm.weight', 'BF16', HIDDEN],
  ['lm_head.weight', 'BF16', 512, HIDDEN],
];

function notesOf(config: object, stored: ReadonlyMap<string, TensorInfo>): string {
  const budgets = { gpus: new Map<number, number>(), ramBytes: null, diskBytes: 0 };
  return preparePlan(stored, { config, models: table, engine: 'transformers', budgets }).profile.assumptions.join('\n');
}

describe('what a file has and a class does not load', () => {
  it('layers for predicting several tokens, however many there are', () => {
    const config = { architectures: ['Qwen3NextForCausalLM'], model_type: 'qwen3_next', num_hidden_layers: 2 };
    const model = loadedModel(
      table,
      config,
      tensors(...text, ...layersOf('mtp.layers', 6), ['mtp.fc.weight', 'BF16', 64, 128]),
    );
    expect(model?.cls.name).toBe('Qwen3NextForCausalLM');
    expect(model?.ignored.every((name) => name.startsWith('mtp.'))).toBe(true);
    expect(model?.ignored).toHaveLength(31);
    expect([...(model?.tensors.keys() ?? [])]).toEqual(text.map(([name]) => name));
  });

  // transformers 5.24 without a quantization_config: "newly initialized: ['model.layers.0.self_attn.q_proj.weight', ...".
  it('packed weights that no configuration unpacks, which is warned of', () => {
    const packed = text.flatMap((row): Row[] => {
      const [name, dtype, ...shape] = row;
      if (!name.endsWith('_proj.weight')) return [row];
      const linear = name.slice(0, -'.weight'.length);
      return [
        [`${linear}.qweight`, 'I32', HIDDEN / 8, HIDDEN],
        [`${linear}.scales`, dtype, 1, ...shape.slice(1)],
      ];
    });
    const config = { architectures: ['LlamaForCausalLM'], model_type: 'llama', num_hidden_layers: 2 };
    const [said, ...others] = loadedModel(table, config, tensors(...packed))?.warnings ?? [];
    expect(said).toContain(
      'no model.layers.0.self_attn.q_proj.weight and 7 more, and config.json has no quantization_config',
    );
    expect(others).toEqual([]);
    const gptq = { ...config, quantization_config: { quant_method: 'gptq', bits: 4 } };
    expect(loadedModel(table, gptq, tensors(...packed))?.warnings).toEqual([]);
    expect(loadedModel(table, config, tensors(...text))?.warnings).toEqual([]);
  });

  it('rows of the head that pad the vocabulary', () => {
    const config = { architectures: ['Inkling2ForCausalLM'], model_type: 'inkling2_text', unpadded_vocab_size: 500 };
    const model = loadedModel(table, config, tensors(...text));
    expect(model?.cls.name).toBe('Inkling2ForCausalLM');
    expect(model?.tensors.get('lm_head.weight')?.shape).toEqual([500, HIDDEN]);
    expect(model?.tensors.get('model.embed_tokens.weight')?.shape).toEqual([512, HIDDEN]);
  });

  it('integers and booleans, which old versions saved as buffers, but not those that a class has', () => {
    const clip = { architectures: ['CLIPModel'], model_type: 'clip' };
    const towers = ['text_model', 'vision_model'].flatMap((tower): Row[] => [
      ...layersOf(`${tower}.encoder.layers`, 2),
      [`${tower}.embeddings.position_ids`, 'I64', 1, 50],
    ]);
    expect(loadedModel(table, clip, tensors(...towers))?.ignored).toEqual([
      'text_model.embeddings.position_ids',
      'vision_model.embeddings.position_ids',
    ]);
    const resnet = { architectures: ['ResNetForImageClassification'], model_type: 'resnet' };
    const norm = 'resnet.embedder.embedder.normalization';
    const model = loadedModel(
      table,
      resnet,
      tensors([`${norm}.weight`, 'F32', 64], [`${norm}.num_batches_tracked`, 'I64']),
    );
    expect([...(model?.tensors.keys() ?? [])]).toEqual([`${norm}.weight`, `${norm}.num_batches_tracked`]);
  });

  it('scales of a quantised checkpoint are no old buffers', () => {
    const config = {
      architectures: ['LlamaForCausalLM'],
      model_type: 'llama',
      quantization_config: { quant_method: 'gptq', bits: 4 },
    };
    const packed: Row[] = [
      ['model.layers.0.self_attn.q_proj.qweight', 'I32', 8, HIDDEN],
      ['model.layers.0.self_attn.q_proj.qzeros', 'I32', 1, 8],
    ];
    const model = loadedModel(table, config, tensors(...text, ...packed));
    expect(model?.ignored).toEqual([]);
    expect(model?.tensors.has('model.layers.0.self_attn.q_proj.qweight')).toBe(true);
  });

  it('tensors that only other configurations have are counted, and it is said', () => {
    const config = { architectures: ['LlamaForCausalLM'], model_type: 'llama', tie_word_embeddings: false };
    const stored = tensors(...text, ['model.layers.0.self_attn.q_proj.bias', 'BF16', HIDDEN]);
    expect(loadedModel(table, config, stored)?.unknown).toEqual(['model.layers.0.self_attn.q_proj.bias']);
    expect(notesOf(config, stored)).toMatch(
      /1 tensor \(128 bytes\) is counted .*model\.layers\.0\.self_attn\.q_proj\.bias/,
    );
    expect(notesOf(config, tensors(...text))).not.toContain('counted');
  });

  it('both tensors of a tie are counted, and it is said', () => {
    const config = { architectures: ['LlamaForCausalLM'], model_type: 'llama', tie_word_embeddings: true };
    expect(notesOf(config, tensors(...text))).toContain(
      'lm_head.weight (64 KiB) is counted beside model.embed_tokens.weight',
    );
  });

  it('are tied where the class ties, whatever its language model says by itself', () => {
    const stored = tensors(
      ['language_model.model.embed_tokens.weight', 'BF16', 512, HIDDEN],
      ...layersOf('language_model.model.layers', 2),
      ['language_model.lm_head.weight', 'BF16', 512, HIDDEN],
    );
    const config = { architectures: ['Gemma3ForConditionalGeneration'], model_type: 'gemma3' };
    const apart = { tie_word_embeddings: false };
    const tied = ['model.language_model.embed_tokens.weight', 'lm_head.weight'];
    const tiesOf = (more: object) =>
      loadedModel(table, { ...config, ...more }, stored)?.ties.map((group) => [...group].sort());
    expect(tiesOf({ text_config: apart })).toEqual([[...tied].sort()]);
    expect(tiesOf({ text_config: apart, tie_word_embeddings: false })).toEqual([]);
  });

  // As transformers 5.24 makes of `vision_config`: where it does not say, a tower has the head, and without a `vision_config` it has none.
  it.each([
    [{ vision_use_head: true }, true],
    [{ hidden_size: HIDDEN }, true],
    [{ vision_use_head: false }, false],
    [undefined, false],
  ])("a pooling head of UltraVBERT's tower, but for a tower that has one: %o", (vision, isLoaded) => {
    const stored = tensors(
      ['text_model.embeddings.tok_embeddings.weight', 'BF16', 512, HIDDEN],
      ['vision_model.embeddings.patch_embedding.weight', 'BF16', HIDDEN, 3, 14, 14],
      ...layersOf('vision_model.encoder.layers', 1),
      ['vision_model.head.probe', 'BF16', 1, 1, HIDDEN],
      ['vision_model.head.attention.in_proj_weight', 'BF16', 3 * HIDDEN, HIDDEN],
      ['vision_model.head.attention.out_proj.weight', 'BF16', HIDDEN, HIDDEN],
    );
    const config = { architectures: ['UltraVBertModel'], model_type: 'ultravbert', vision_config: vision };
    const budgets = { gpus: new Map([[0, 2 ** 30]]), ramBytes: null, diskBytes: 0 };
    const { blocks, model } = preparePlan(stored, { config, models: table, engine: 'transformers', budgets }).profile;
    expect(model?.class).toBe('UltraVBertModel');
    const head = blocks.filter(({ name }) => name.startsWith('vision_model.head'));
    expect(head.map(({ name, tensors: held, stores }) => [name, held.length, stores])).toEqual(
      isLoaded ? [['vision_model.head', 3, []]] : [],
    );
  });
});
