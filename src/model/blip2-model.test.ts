import { describe, expect, it } from 'vitest';
import { elementCount } from '../tensor/tensor-info.js';
import { parseBlip2Config, parseModelConfig, placeholderWarning } from './blip2-config.js';
import { blip2Tensors } from './blip2-tensors.js';
import { blip2Blocks } from './blocks.js';
import { PRESETS } from './presets.js';

const parameters = (name: string, ownHead: boolean): number => {
  const preset = PRESETS.get(name);
  if (preset === undefined) throw new Error(name);
  const tensors = blip2Tensors(parseBlip2Config(preset.config), { dtype: 'F32', ownHead });
  return [...tensors.values()].reduce((sum, tensor) => sum + elementCount(tensor.shape), 0);
};

describe('blip2Tensors', () => {
  // Parameter counts of the modules that transformers 5.18 builds from the same configurations.
  it.each([
    ['Salesforce/blip2-opt-2.7b', false, 3_744_761_856],
    ['Salesforce/blip2-opt-2.7b-coco', false, 3_744_761_856 + 986_543_616 - 985_952_256],
    ['Salesforce/blip2-opt-6.7b', false, 7_752_869_376],
    ['Salesforce/blip2-flan-t5-xl', true, 3_942_446_592],
    ['Salesforce/blip2-flan-t5-xl', false, 3_876_648_448],
    ['Salesforce/blip2-flan-t5-xxl', true, 12_229_596_672],
  ])('%s (own head: %s) has %i parameters', (name, ownHead, count) => {
    expect(parameters(name, ownHead)).toBe(count);
  });
});

describe('blip2Blocks', () => {
  it.each([...PRESETS])('%s: every tensor belongs to exactly one block', (_, preset) => {
    const config = parseBlip2Config(preset.config);
    const blocks = blip2Blocks(config);
    for (const name of blip2Tensors(config, { dtype: 'F32', ownHead: true }).keys()) {
      const owners = blocks.filter((block) => name === block.name || name.startsWith(`${block.name}.`));
      expect(
        owners.map((block) => block.name),
        name,
      ).toHaveLength(1);
    }
  });
});

describe('parseBlip2Config', () => {
  it('takes the exact GELU that dense_act_fn names over the one feed_forward_proj implies', () => {
    const text = (fields: object) =>
      parseBlip2Config({ model_type: 'blip-2', text_config: { model_type: 't5', ...fields } }).text;
    expect(text({ feed_forward_proj: 'gated-gelu', dense_act_fn: 'gelu' })).toMatchObject({
      activation: 'gelu',
      gated: true,
    });
    expect(text({ feed_forward_proj: 'gated-gelu' })).toMatchObject({ activation: 'gelu_new', gated: true });
    expect(text({ feed_forward_proj: 'relu' })).toMatchObject({ activation: 'relu', gated: false });
  });

  it('scales T5 logits unless the file unties them or says otherwise', () => {
    const scaled = (fields: object) =>
      parseBlip2Config({ model_type: 'blip-2', text_config: { model_type: 't5', ...fields } }).text;
    expect(scaled({})).toMatchObject({ scaleLogits: true });
    expect(scaled({ tie_word_embeddings: false })).toMatchObject({ scaleLogits: false });
    expect(scaled({ tie_word_embeddings: true, scale_decoder_outputs: false })).toMatchObject({ scaleLogits: false });
  });

  it('refuses tokens that are wider than what a picture becomes', () => {
    const opt = (text: object) =>
      parseBlip2Config({ model_type: 'blip-2', text_config: { model_type: 'opt', ...text } });
    expect(() => opt({ hidden_size: 768, word_embed_proj_dim: 1024 })).toThrow(/word_embed_proj_dim: 1024 is above/);
    expect(opt({ hidden_size: 1024, num_attention_heads: 16, word_embed_proj_dim: 512 }).text).toMatchObject({
      embedSize: 512,
    });
  });

  it('reads the id of the picture by both of its names as transformers does, which sets the newer one last', () => {
    const id = (fields: object) => parseBlip2Config({ model_type: 'blip-2', ...fields }).imageTokenId;
    expect(id({ image_token_index: 7 })).toBe(7);
    expect(id({ image_token_index: 7, image_token_id: 9 })).toBe(9);
    expect(id({ image_token_index: 7, image_token_id: null })).toBeNull();
    expect(() => id({ image_token_index: 50_272 })).toThrow('image_token_index: 50272 is not below vocab_size 50272');
  });

  it('warns of models that transformers 5 cannot generate with, which need the id of the picture', () => {
    const warning = (fields: object) => placeholderWarning(parseModelConfig({ model_type: 'blip-2', ...fields }));
    for (const fields of [{}, { image_token_index: null }, { image_token_index: 7, image_token_id: null }])
      expect(warning(fields)).toContain('config.json has no image_token_index');
    expect(warning({ image_token_index: 7 })).toBeNull();
    expect(warning({ qformer_config: { use_qformer_text_input: true } })).toBeNull();
  });

  it('names every wrong field at once', () => {
    expect(() =>
      parseBlip2Config({
        model_type: 'blip-2',
        num_query_tokens: 0,
        text_config: { model_type: 'opt', vocab_size: 'x' },
      }),
    ).toThrow(/num_query_tokens.*text_config\.vocab_size/s);
    expect(() => parseBlip2Config({ model_type: 'llava' })).toThrow(/model_type/);
    expect(() => parseBlip2Config([])).toThrow(/not a BLIP-2/);
    expect(() => parseBlip2Config(null)).toThrow('there is no config.json beside the weights');
  });
});
