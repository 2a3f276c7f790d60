import { describe, expect, it } from 'vitest';
import type { Dtype } from '../../tensor/dtype.js';
import { dtypeNote, storedDtype } from './stored-dtype.js';

const FIRST = 'model-00001-of-00002.safetensors';
const SECOND = 'model-00002-of-00002.safetensors';

function tensors(...rows: readonly (readonly [string, Dtype, string?])[]) {
  return new Map(
    rows.map(([name, dtype, file]) => [name, { dtype, shape: [8, 8], ...(file === undefined ? {} : { file }) }]),
  );
}

const half = tensors(['model.norm.weight', 'BF16'], ['lm_head.weight', 'BF16'], ['model.embed_tokens.weight', 'BF16']);

/** What `from_pretrained` of transformers 5.24 made of such tiny checkpoints of Qwen 3 and Gemma 3. */
describe('the dtype that transformers loads', () => {
  it.each([
    ['config.json', { torch_dtype: 'float32' }, half, 'float32'],
    ['config.json, null', { torch_dtype: null }, half, 'bfloat16'],
    [
      'one for each part, of which the whole counts',
      { dtype: { '': 'float16', text_config: 'float32' } },
      half,
      'float16',
    ],
    ['one for parts alone, without one of the whole', { dtype: { text_config: 'bfloat16' } }, half, 'float32'],
    ['by another name of torch', { torch_dtype: 'half' }, half, 'float16'],
    ['one for the text alone, which does not count', { text_config: { dtype: 'float16' } }, half, 'bfloat16'],
    ['the whole and the text', { dtype: 'float16', text_config: { dtype: 'bfloat16' } }, half, 'float16'],
    ['a float32 norm', {}, tensors(['model.norm.weight', 'F32'], ['lm_head.weight', 'BF16']), 'bfloat16'],
    [
      'a float32 head, whose name is first',
      {},
      tensors(['model.norm.weight', 'BF16'], ['lm_head.weight', 'F32']),
      'float32',
    ],
    [
      'float32 in the second file',
      {},
      tensors(['model.x', 'BF16', FIRST], ['lm_head.weight', 'F32', SECOND]),
      'bfloat16',
    ],
    [
      'float32 in the first file',
      {},
      tensors(['model.x', 'F32', FIRST], ['lm_head.weight', 'BF16', SECOND]),
      'float32',
    ],
    ['eight bits come first', {}, tensors(['a.weight', 'F8_E4M3'], ['b.weight', 'BF16']), 'bfloat16'],
  ] as const)('%s', (_, config, stored, dtype) => {
    expect(storedDtype(config, stored)).toBe(dtype);
  });

  it('is said where one tensor decides against the others', () => {
    const stored = tensors(
      ['model.norm.weight', 'BF16'],
      ['model.embed_tokens.weight', 'BF16'],
      ['lm_head.weight', 'F32'],
    );
    expect(dtypeNote({}, stored)).toContain('all in float32, that of lm_head.weight; most of the file is bfloat16');
    expect(dtypeNote({ dtype: 'bfloat16' }, stored)).toBeNull();
    expect(dtypeNote({}, half)).toBeNull();
    expect(dtypeNote({ dtype: 'float64' }, half)).toContain('float64');
  });
});
