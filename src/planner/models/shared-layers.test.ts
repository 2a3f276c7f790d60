import { describe, expect, it } from 'vitest';
import { loadModelTable } from './load-model-table.js';
import { tiesUnder } from './shared-layers.js';

const table = await loadModelTable();

const tiesOf = (name: string, config: object): Record<string, string> =>
  Object.fromEntries(tiesUnder({ ...config }, table.classOf(name)?.ties ?? new Map()));

/** `all_tied_weights_keys` of transformers 5.24, whose names here stand for all below them. */
describe('parts that layers share', () => {
  it('are those of as many blocks as Zamba 2 has, in turns', () => {
    const config = {
      num_mem_blocks: 2,
      layers_block_type: Array.from({ length: 5 }, () => ['mamba', 'hybrid']).flat(),
    };
    expect(tiesOf('Zamba2ForCausalLM', config)).toEqual({
      'lm_head.weight': 'model.embed_tokens.weight',
      'model.layers.5.shared_transformer': 'model.layers.1.shared_transformer',
      'model.layers.7.shared_transformer': 'model.layers.3.shared_transformer',
      'model.layers.9.shared_transformer': 'model.layers.1.shared_transformer',
    });
  });

  it('are one of Zamba', () => {
    const config = { layers_block_type: ['linear_attention', 'hybrid', 'linear_attention', 'hybrid', 'hybrid'] };
    expect(tiesOf('ZambaForCausalLM', config)).toEqual({
      'lm_head.weight': 'model.embed_tokens.weight',
      'model.layers.3.shared_transf': 'model.layers.1.shared_transf',
      'model.layers.4.shared_transf': 'model.layers.1.shared_transf',
    });
  });

  it('are those of the default configuration where none names its layers', () => {
    expect(tiesOf('ZambaForCausalLM', {})['model.layers.13.shared_transf']).toBe('model.layers.2.shared_transf');
    expect(tiesOf('LlamaForCausalLM', { layers_block_type: ['hybrid', 'hybrid'] })).toEqual({
      'lm_head.weight': 'model.embed_tokens.weight',
    });
  });
});
