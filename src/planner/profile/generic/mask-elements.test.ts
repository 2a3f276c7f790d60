import { describe, expect, it } from 'vitest';
import { loadModelTable } from '../../models/load-model-table.js';
import { maskElements } from './mask-elements.js';

const models = await loadModelTable();

function classOf(name: string) {
  const cls = models.classOf(name);
  if (cls === null) throw new Error(name);
  return cls;
}

const LOCAL = ['sliding_attention', 'sliding_attention'];
const MIXED = ['sliding_attention', 'full_attention'];

describe('what masks of 512 tokens take', () => {
  // Bytes of what `create_causal_mask` and its like of transformers 5.24 return for SDPA: texts of one length for one, one that is padded for more.
  it.each([
    ['LlamaForCausalLM', {}, 1, 0],
    ['LlamaForCausalLM', {}, 4, 1048576],
    ['MistralForCausalLM', { sliding_window: 256 }, 1, 262144],
    ['MistralForCausalLM', { sliding_window: 1024 }, 1, 0],
    ['MistralForCausalLM', { sliding_window: 512 }, 1, 262144],
    ['Gemma3ForCausalLM', { sliding_window: 256, layer_types: MIXED }, 1, 262144],
    ['Gemma3ForCausalLM', { sliding_window: 256, layer_types: MIXED }, 4, 2097152],
    ['Gemma3ForCausalLM', { sliding_window: 256, layer_types: LOCAL }, 4, 1048576],
    ['Qwen2ForCausalLM', { sliding_window: 256, use_sliding_window: false }, 1, 0],
    ['Qwen2ForCausalLM', { sliding_window: 256, layer_types: ['full_attention'] }, 1, 0],
    // One that is padded to a length.
    ['BertModel', {}, 1, 262144],
    ['ModernBertModel', { local_attention: 128, global_attn_every_n_layers: 3 }, 2, 1048576],
  ])('%s of %o, %i texts: %i bytes', (name, text, sequences, bytes) => {
    const rows = { tokens: sequences * 512, sequences, length: 512 };
    const { perToken } = maskElements('layers.0', rows, classOf(name), text, 2);
    expect(2 * perToken * rows.tokens).toBe(bytes);
  });

  it('are in the scores where attention is written out', () => {
    const rows = { tokens: 2048, sequences: 4, length: 512 };
    expect(maskElements('layers.0', rows, classOf('GptOssForCausalLM'), { sliding_window: 128 }, 2).perToken).toBe(0);
  });
});
