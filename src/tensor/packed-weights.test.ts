import { expect, it } from 'vitest';
import type { Dtype } from './dtype.js';
import { packedParts } from './packed-weights.js';

const table = (rows: readonly (readonly [string, Dtype, number?])[]) =>
  new Map(rows.map(([name, dtype, rank = 2]) => [name, { dtype, shape: Array.from({ length: rank }, () => 4) }]));

/** Names and dtypes as the named programs save them. */
it.each<[string, ...(readonly [string, Dtype, number?])[]]>([
  ['GPTQ', ['q.qweight', 'I32'], ['q.qzeros', 'I32'], ['q.scales', 'F16'], ['q.g_idx', 'I32', 1], ['q.bias', 'F16', 1]],
  ['AWQ', ['q.qweight', 'I32'], ['q.qzeros', 'I32'], ['q.scales', 'F16']],
  ['bitsandbytes, 8 bits', ['q.weight', 'I8'], ['q.SCB', 'F32', 1], ['q.weight_format', 'U8', 0]],
  [
    'bitsandbytes, 4 bits',
    ['q.weight', 'U8'],
    ['q.weight.absmax', 'F32', 1],
    ['q.weight.quant_map', 'F32', 1],
    ['q.weight.nested_absmax', 'F32', 1],
  ],
  ['blocks of 8-bit floats', ['q.weight', 'F8_E4M3'], ['q.weight_scale_inv', 'F32']],
  ['compressed-tensors', ['q.weight_packed', 'I32'], ['q.weight_scale', 'BF16'], ['q.weight_shape', 'I64', 1]],
  ['MXFP4', ['experts.up_blocks', 'U8', 4], ['experts.up_scales', 'U8', 3], ['experts.up_bias', 'BF16']],
  ['this project', ['q.weight.int8', 'U8', 3], ['q.weight.int8_scales', 'F16']],
])('knows the floats that belong to weights of %s', (_, ...rows) => {
  const isPart = packedParts(table([...rows, ['norm.weight', 'F32', 1], ['a.q.weight', 'F32']]));
  for (const [name, dtype] of rows) if (/^B?F(16|32)$/.test(dtype)) expect([name, isPart(name)]).toEqual([name, true]);
  expect([isPart('norm.weight'), isPart('a.q.weight')]).toEqual([false, false]);
});

it('takes no buffer for a packed weight', () => {
  const isPart = packedParts(
    table([
      ['embeddings.position_ids', 'I64'],
      ['embeddings.table', 'F32'],
      ['norm.num_batches_tracked', 'I64', 0],
      ['norm.running_mean', 'F32', 1],
      ['block.lengths', 'I32', 1],
      ['block.weight', 'F32'],
      ['mask', 'U8'],
      ['query_tokens', 'F32', 3],
      // Its bias is a float of its own right: the integers lie below the weight.
      ['fc1.weight.int8', 'U8', 3],
      ['fc1.weight.int8_scales', 'F16'],
      ['fc1.bias', 'F32', 1],
    ]),
  );
  const names = ['embeddings.table', 'norm.running_mean', 'block.weight', 'query_tokens', 'fc1.bias'];
  expect(names.filter((name) => isPart(name))).toEqual([]);
});
