import { expect, it } from 'vitest';
import { captionWith, changed, demoJson, RIGHT } from './hostile-checkpoint.js';

const config = await demoJson('config.json');
const preprocessor = await demoJson('preprocessor_config.json');
const tokenizer = await demoJson('tokenizer.json');

const [INVALID, MISMATCH, SHAPE] = ['CONFIG_INVALID', 'CONFIG_MISMATCH', 'TENSOR_SHAPE'];
const MISSING = 'TENSOR_NOT_FOUND';
const deep = (levels: number): string => `{"model_type":"blip-2","a":${'['.repeat(levels)}${']'.repeat(levels)}}`;

/** What is wrong with config.json, and what comes of it. */
const FIELDS: readonly (readonly [Readonly<Record<string, unknown>>, string])[] = [
  [{}, RIGHT],
  [{ unknown_field: { deep: [1, { more: null }] } }, RIGHT],
  [{ __proto__: null, 'text_config.__proto__x': 1, constructor: 'x' }, RIGHT],
  ...['vision_config', 'qformer_config', 'text_config'].flatMap((part) => [
    [{ [`${part}.num_hidden_layers`]: 1e7 }, INVALID] as const,
    [{ [`${part}.num_hidden_layers`]: 1e9 }, INVALID] as const,
    [{ [`${part}.num_hidden_layers`]: 1e300 }, INVALID] as const,
    [{ [`${part}.num_hidden_layers`]: 1025 }, INVALID] as const,
    [{ [`${part}.num_hidden_layers`]: 1000 }, MISSING] as const,
    [{ [`${part}.num_hidden_layers`]: 6 }, MISSING] as const,
    [{ [`${part}.num_hidden_layers`]: 1 }, MISMATCH] as const,
    [{ [`${part}.num_hidden_layers`]: 0 }, INVALID] as const,
    [{ [`${part}.num_hidden_layers`]: -4 }, INVALID] as const,
    [{ [`${part}.num_hidden_layers`]: 2.5 }, INVALID] as const,
    [{ [`${part}.num_hidden_layers`]: '4' }, INVALID] as const,
    [{ [`${part}.num_attention_heads`]: 7 }, INVALID] as const,
    [{ [`${part}.num_attention_heads`]: 0 }, INVALID] as const,
    [{ [`${part}.num_attention_heads`]: 1e9 }, INVALID] as const,
    [{ [`${part}.hidden_size`]: 1e9 }, /^(CONFIG_INVALID|TENSOR_SHAPE)$/.source] as const,
    [{ [part]: null }, INVALID] as const,
    [{ [part]: [] }, INVALID] as const,
    [{ [part]: 'big' }, INVALID] as const,
  ]),
  ...['vision_config', 'qformer_config'].flatMap((part) => [
    [{ [`${part}.layer_norm_eps`]: 0 }, INVALID] as const,
    [{ [`${part}.layer_norm_eps`]: 1e308 }, INVALID] as const,
    [{ [`${part}.layer_norm_eps`]: -1 }, INVALID] as const,
    [{ [`${part}.hidden_act`]: 'tanh' }, INVALID] as const,
    [{ [`${part}.intermediate_size`]: 3 }, SHAPE] as const,
  ]),
  [{ 'qformer_config.cross_attention_frequency': 1e9 }, MISMATCH],
  [{ 'qformer_config.cross_attention_frequency': 1 }, MISSING],
  [{ 'qformer_config.cross_attention_frequency': 0 }, INVALID],
  [{ 'vision_config.patch_size': 1000 }, INVALID],
  [{ 'vision_config.image_size': 1e9 }, SHAPE],
  [{ 'vision_config.num_channels': 4 }, SHAPE],
  [{ 'text_config.vocab_size': 0 }, INVALID],
  [{ 'text_config.vocab_size': 1e9 }, SHAPE],
  [{ 'text_config.vocab_size': 2 }, INVALID],
  [{ 'text_config.bos_token_id': 1e9 }, INVALID],
  [{ 'text_config.bos_token_id': -1 }, INVALID],
  [{ 'text_config.bos_token_id': 1.5 }, INVALID],
  [{ 'text_config.eos_token_id': -1 }, INVALID],
  [{ 'text_config.eos_token_id': 1e9 }, INVALID],
  [{ 'text_config.eos_token_id': [] }, INVALID],
  [{ 'text_config.max_position_embeddings': 1 }, /^(WORKLOAD_INVALID|TENSOR_SHAPE)$/.source],
  [{ 'text_config.model_type': 'gpt2' }, INVALID],
  [{ 'text_config.model_type': '__proto__' }, INVALID],
  [{ 'text_config.ffn_dim': 7 }, SHAPE],
  [{ num_query_tokens: 1e9 }, INVALID],
  [{ num_query_tokens: 9 }, SHAPE],
  [{ num_query_tokens: 0 }, INVALID],
  [{ image_token_index: -5 }, INVALID],
  [{ image_token_index: 400 }, INVALID],
  // Without a prompt no tokenizer has a say in where the picture stands.
  [{ image_token_index: 3 }, RIGHT],
  [{ model_type: 'clip' }, INVALID],
  [{ model_type: undefined }, INVALID],
  [{ quantization_config: { quant_method: 'gptq' } }, 'CHECKPOINT_QUANTIZED'],
];

const TEXTS: readonly (readonly [string, string])[] = [
  ['', INVALID],
  ['null', INVALID],
  ['[]', INVALID],
  ['3', INVALID],
  ['"blip-2"', INVALID],
  ['{"model_type":"blip-2"', INVALID],
  ['{"model_type":NaN}', INVALID],
  [deep(5000), INVALID],
  [deep(100_000), INVALID],
  [`{"model_type":"blip-2","a":"${'x'.repeat(5_000_000)}"}`, INVALID],
];

const PICTURES: readonly Readonly<Record<string, unknown>>[] = [
  { image_std: 0 },
  { image_std: [0.2, 0, 0.2] },
  { image_std: [1e-320, 1, 1] },
  { image_std: -1 },
  { image_std: [1, 1] },
  { image_std: '1' },
  { image_mean: 1e308 },
  { image_mean: [1, 2, 3, 4] },
  { rescale_factor: 1e308 },
  { rescale_factor: 0 },
  { rescale_factor: -1 },
  { rescale_factor: 1e-320 },
  { rescale_factor: '1/255' },
  { size: { height: -1, width: 96 } },
  { size: 0 },
  { size: [96] },
  { resample: 0 },
  { do_center_crop: true },
];

const TOKENIZERS: readonly Readonly<Record<string, unknown>>[] = [
  { 'model.vocab': {} },
  { 'model.vocab': [] },
  { 'model.vocab': null },
  { 'model.vocab': { a: -1, b: 1 } },
  { 'model.vocab': { a: 0.5 } },
  { 'model.vocab': { a: '0' } },
  { model: null },
  { model: {} },
  { added_tokens: [{ id: -3, content: 'x' }] },
  { added_tokens: [null] },
  { added_tokens: [{ content: 'x' }] },
];

it.each(FIELDS)('config.json with %j: %s', async (changes, expected) => {
  const found = await captionWith({ 'config.json': JSON.stringify(changed(config, changes)) });
  expect(found).toMatch(new RegExp(`^${expected}$`));
});

it.each(TEXTS.map(([text, expected]) => [text.slice(0, 40), expected, text] as const))(
  'config.json of %j: %s',
  async (_, expected, text) => {
    expect(await captionWith({ 'config.json': text })).toBe(expected);
  },
);

it.each(PICTURES)('preprocessor_config.json with %j', async (changes) => {
  const text = JSON.stringify(changed(preprocessor, changes));
  expect(await captionWith({ 'preprocessor_config.json': text, 'processor_config.json': '{}' })).toBe(INVALID);
});

it('a picture of 20,000 pixels to be made smaller by the model', async () => {
  const text = JSON.stringify(changed(preprocessor, { size: { height: 20_000, width: 20_000 } }));
  expect(await captionWith({ 'preprocessor_config.json': text, 'processor_config.json': '{}' })).toBe('IMAGE_SIZE');
});

it.each(TOKENIZERS)('tokenizer.json with %j', async (changes) => {
  expect(await captionWith({ 'tokenizer.json': JSON.stringify(changed(tokenizer, changes)) })).toBe(
    'TOKENIZER_INVALID',
  );
});
