import { describe, expect, it } from 'vitest';
import type { TensorInfo } from '../../tensor/tensor-info.js';
import { preparePlan } from '../plan/request/prepare-plan.js';
import { loadModelTable } from './load-model-table.js';
import { loadedModel } from './loaded-model.js';
import { countedLayers } from './counted-layers.js';

const models = await loadModelTable();

const HIDDEN = 8;
const HELD = 3;
const layersOf = (list: string, part: string, dtype: TensorInfo['dtype'] = 'F16'): [string, TensorInfo][] =>
  Array.from({ length: HELD }, (_, i) => [`${list}.${i}.${part}.weight`, { dtype, shape: [HIDDEN, HIDDEN] }]);

/** Class, type, list as loaded, what a member holds, and the field that counts it, by configurations that transformers 5.24 loads so. */
const LISTS: readonly [string, string, string, string, (count: number) => object][] = [
  ['LlamaForCausalLM', 'llama', 'model.layers', 'self_attn.q_proj', (num_hidden_layers) => ({ num_hidden_layers })],
  ['GPT2LMHeadModel', 'gpt2', 'transformer.h', 'attn.c_attn', (n_layer) => ({ n_layer })],
  ['MptForCausalLM', 'mpt', 'transformer.blocks', 'attn.Wqkv', (n_layers) => ({ n_layers })],
  ['BertModel', 'bert', 'encoder.layer', 'output.dense', (num_hidden_layers) => ({ num_hidden_layers })],
  ['T5ForConditionalGeneration', 't5', 'encoder.block', 'layer.1.DenseReluDense.wi', (num_layers) => ({ num_layers })],
  [
    'T5ForConditionalGeneration',
    't5',
    'decoder.block',
    'layer.2.DenseReluDense.wi',
    (num_decoder_layers) => ({ num_layers: HELD, num_decoder_layers }),
  ],
  [
    'WhisperForConditionalGeneration',
    'whisper',
    'model.decoder.layers',
    'fc1',
    (decoder_layers) => ({ encoder_layers: 9, decoder_layers }),
  ],
  [
    'CLIPModel',
    'clip',
    'vision_model.encoder.layers',
    'mlp.fc1',
    (num_hidden_layers) => ({ vision_config: { num_hidden_layers } }),
  ],
  [
    'Qwen2VLForConditionalGeneration',
    'qwen2_vl',
    'model.visual.blocks',
    'attn.proj',
    (depth) => ({ num_hidden_layers: 9, vision_config: { depth } }),
  ],
  // As published, without a text_config.
  [
    'Qwen2VLForConditionalGeneration',
    'qwen2_vl',
    'model.language_model.layers',
    'self_attn.q_proj',
    (num_hidden_layers) => ({ num_hidden_layers, vision_config: { depth: 9 } }),
  ],
  [
    'BridgeTowerModel',
    'bridgetower',
    'vision_model.visual.transformer.resblocks',
    'mlp.c_fc',
    (count) => ({ vision_config: { num_hidden_layers: count + 1, remove_last_layer: true } }),
  ],
  [
    'VisionEncoderDecoderModel',
    'vision-encoder-decoder',
    'decoder.model.decoder.layers',
    'fc1',
    (decoder_layers) => ({ encoder: { model_type: 'vit' }, decoder: { model_type: 'trocr', decoder_layers } }),
  ],
];

function loaded(cls: string, type: string, config: object, tensors: readonly [string, TensorInfo][]) {
  const model = loadedModel(models, { architectures: [cls], model_type: type, ...config }, new Map(tensors));
  if (model === null) throw new Error(`${cls} is known`);
  return model;
}

describe('layers that config.json counts', () => {
  it.each(LISTS)('%s, a %s: %s', (cls, type, list, part, config) => {
    const held = layersOf(list, part);
    const names = (count: number): string[] =>
      [...loaded(cls, type, config(count), held).tensors.keys()].filter((name) => name.startsWith(list));
    expect(names(HELD)).toEqual(held.map(([name]) => name));
    // Behind the last that is counted: not built.
    expect(names(HELD - 1)).toEqual(held.slice(0, -1).map(([name]) => name));
    expect(loaded(cls, type, config(HELD - 1), held).ignored).toEqual([held.at(-1)?.[0]]);
    expect(names(HELD + 1)).toEqual([...held.map(([name]) => name), `${list}.${HELD}.${part}.weight`]);
    expect(loaded(cls, type, config(HELD + 1), held).warnings).toEqual([
      `config.json counts ${HELD + 1} layers in ${list}, the files hold ${HELD}: transformers makes up the others, at random; this plan counts them.`,
    ]);
  });

  // "Field 'num_hidden_layers' expected int, got str (value: '3')"; nothing is said of what is null, which some fields may be.
  it.each(['3', 3.5, true, [3], {}])('as %j are said to be refused', (num_hidden_layers) => {
    const held = layersOf('model.layers', 'self_attn.q_proj');
    const said = `config.json has num_hidden_layers as ${JSON.stringify(num_hidden_layers)}, which transformers refuses`;
    const config = { num_hidden_layers };
    expect(loaded('LlamaForCausalLM', 'llama', config, held).warnings).toEqual([expect.stringContaining(said)]);
  });

  it.each([0, -3])('as %j are none', (num_hidden_layers) => {
    const held = layersOf('model.layers', 'self_attn.q_proj');
    const config = { num_hidden_layers };
    const model = loaded('LlamaForCausalLM', 'llama', config, [
      ...held,
      ['model.norm.weight', { dtype: 'F16', shape: [1] }],
    ]);
    expect([...model.tensors.keys()]).toEqual(['model.norm.weight']);
    expect(model.warnings).toEqual([]);
  });

  it.each([null, undefined, 3])('as %j are none that is refused', (num_hidden_layers) => {
    const held = layersOf('model.layers', 'self_attn.q_proj');
    expect(loaded('LlamaForCausalLM', 'llama', { num_hidden_layers }, held).warnings).toEqual([]);
  });

  it.each(['false', 0, null])('beside a tie that is said as %j, which is refused', (tie_word_embeddings) => {
    const held = layersOf('model.layers', 'self_attn.q_proj');
    const said = `config.json has tie_word_embeddings as ${JSON.stringify(tie_word_embeddings)}, which transformers refuses`;
    const config = { tie_word_embeddings };
    expect(loaded('LlamaForCausalLM', 'llama', config, held).warnings).toEqual([expect.stringContaining(said)]);
  });

  it('are like the nearest of their kind', () => {
    const config = { num_hidden_layers: 4, layer_types: ['full_attention', 'conv', 'conv', 'full_attention'] };
    const tensors: [string, TensorInfo][] = [
      ['layers.0.q.weight', { dtype: 'F16', shape: [2] }],
      ['layers.1.conv.weight', { dtype: 'F16', shape: [3] }],
    ];
    const lists = [{ path: 'layers', field: 'num_hidden_layers', added: 0, lesserEnds: [] }];
    const { tensors: made } = countedLayers(lists, config).made(new Map(tensors));
    expect([...made.keys()]).toEqual(['layers.2.conv.weight', 'layers.3.q.weight']);
  });

  it('are not made where they share the memory of one that is there', () => {
    const held: [string, TensorInfo][] = [['bbox_embed.0.layers.0.weight', { dtype: 'F16', shape: [HIDDEN] }]];
    const model = loaded('DeformableDetrForObjectDetection', 'deformable_detr', { decoder_layers: HELD }, held);
    expect([...model.tensors.keys()]).toEqual([held[0]?.[0]]);
    expect(model.warnings).toEqual([]);
  });

  it('are not made where no model has as many', () => {
    const held = layersOf('model.layers', 'self_attn.q_proj');
    const model = loaded('LlamaForCausalLM', 'llama', { num_hidden_layers: 1e12 }, held);
    expect(model.tensors.size).toBe(HELD);
    expect(model.warnings.join()).toContain('no bytes and no keys');
  });

  // from_pretrained(dtype=torch.float16) of such a file: those that it holds are float32, the others float16.
  it('have the dtype of the model, also where parameters that files hold stay float32', () => {
    const config = { architectures: ['T5ForConditionalGeneration'], model_type: 't5', num_layers: HELD + 1 };
    const tensors = new Map(layersOf('encoder.block', 'layer.1.DenseReluDense.wo'));
    const budgets = { gpus: new Map<number, number>(), ramBytes: null, diskBytes: 0 };
    const options = { config, models, engine: 'transformers', dtype: 'float16', budgets } as const;
    expect(preparePlan(tensors, options).profile.weightBytes).toBe((HELD * 4 + 2) * HIDDEN * HIDDEN);
  });
});
