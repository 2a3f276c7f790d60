/** Attention of tokens that all see each other, or a whole picture, over `[batch, tokens, heads * width]` before biases are added. */
import { isAcross, isOfMany } from '../../device/kernels/attention-of-many.js';
import type { Attributes } from '../../onnx/attributes.js';
import type { Value } from '../../onnx/graph-builder.js';
import type { Module } from '../module.js';
import { plainAttention } from '../plain-attention.js';
import { visionTokens } from '../vision.js';
import { ownNode, splitInThree, splitInTwo } from './gpu-module.js';

interface Heads {
  readonly heads: number;
  /** Of a head. */
  readonly width: number;
}

interface Operands {
  readonly query: Value;
  readonly key: Value;
  readonly value: Value;
  /** Added to the three, side by side. */
  readonly offset: Value | undefined;
  /** Added to scores. */
  readonly bias?: Value;
}

/**
 * @param projected queries, keys and values side by side
 * @param offset added to them
 * @param seen how many tokens all rows have, or what is added to the scores of a batch's
 */
export function attendPacked(
  module: Module,
  projected: Value,
  offset: Value | undefined,
  heads: Heads,
  seen: { readonly tokens: number } | { readonly bias: Value },
): Value {
  const isOwn = 'tokens' in seen && isOfMany({ ...seen, width: heads.width, capacity: seen.tokens });
  if (isOwn && offset !== undefined && hasOwn(module)) {
    return ownNode(module, 'PackedAttention', [projected, offset], attributesOf(heads));
  }
  const [query, key, value] = splitInThree(module, projected);
  return attend(module, { query, key, value, offset, ...('bias' in seen ? seen : {}) }, heads);
}

/**
 * @param query of fewer tokens
 * @param memory keys and values of a picture's tokens, side by side
 */
export function attendAcross(
  module: Module,
  query: Value,
  memory: Value,
  offset: Value | undefined,
  heads: Heads,
): Value {
  const isOwn = offset !== undefined && hasOwn(module) && isAcross(heads.width, visionTokens(module.stage));
  if (isOwn) return ownNode(module, 'PictureAttention', [query, memory, offset], attributesOf(heads));
  const [key, value] = splitInTwo(module, memory);
  return attend(module, { query, key, value, offset }, heads);
}

const hasOwn = ({ stage }: Module): boolean => stage.own.attention && stage.float === 'F16';

const attributesOf = ({ heads, width }: Heads): Attributes => ({ num_heads: { int: heads }, scale: width ** -0.5 });

function attend(module: Module, operands: Operands, heads: Heads): Value {
  const { offset = '', bias = '' } = operands;
  if (module.stage.attention === 'plain') return attendPlainly(module, operands, heads);
  const inputs = [operands.query, operands.key, operands.value, offset, '', bias];
  while (inputs.at(-1) === '') inputs.pop();
  return module.fused('MultiHeadAttention', inputs, attributesOf(heads));
}

function attendPlainly(module: Module, { offset, bias, ...given }: Operands, { heads, width }: Heads): Value {
  const shape = { heads, scale: width ** -0.5, ...(bias === undefined ? {} : { bias }) };
  if (offset === undefined) return plainAttention(module, { ...given, ...shape });
  const [ofQuery, ofKey, ofValue] = splitInThree(module.child('bias'), offset);
  const [query, key, value] = [
    module.add(given.query, ofQuery),
    module.add(given.key, ofKey),
    module.add(given.value, ofValue),
  ];
  return plainAttention(module, { query, key, value, ...shape });
}
