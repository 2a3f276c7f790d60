import type { Value } from '../onnx/graph-builder.js';
import type { Module } from './module.js';
import { plainAttention, type PlainAttentionInputs } from './plain-attention.js';
import { pastWire, presentWire } from './wires.js';

export interface AttentionInputs extends Omit<PlainAttentionInputs, 'perHead'> {
  /** Keys and values of earlier tokens, `[batch, heads, past, headSize]`. */
  readonly past?: { readonly key: Value; readonly value: Value };
}

export interface AttentionOutputs {
  /** `[batch, queries, heads * headSize]`. */
  readonly output: Value;
  /** Past and new, `[batch, heads, past + keys, headSize]`; without a past, nothing that anyone keeps. */
  readonly present?: { readonly key: Value; readonly value: Value };
}

/** `softmax(scale * q k^T + bias) v` per head, by ONNX Runtime's fused operator; softmax is in float32. */
export function attention(module: Module, inputs: AttentionInputs): AttentionOutputs {
  const { query, key, value, heads, scale, bias = '', past } = inputs;
  const operands = [query, key, value, '', '', bias, past?.key ?? '', past?.value ?? ''];
  while (operands.at(-1) === '') operands.pop();
  if (module.stage.attention === 'plain' && past === undefined) return { output: plainAttention(module, inputs) };
  const options = {
    ...module.named('MultiHeadAttention', { num_heads: { int: heads }, scale }),
    domain: 'com.microsoft',
  } as const;
  if (past === undefined) return { output: module.graph.node('MultiHeadAttention', operands, options) };
  const [output, presentKey, presentValue] = module.graph.nodes(
    'MultiHeadAttention',
    operands,
    [true, true, true],
    options,
  );
  return { output, present: { key: presentKey, value: presentValue } };
}

/** Attention of a decoder layer over its cache, which grows by the new tokens' keys and values. */
export function cachedAttention(module: Module, layer: number, inputs: Omit<AttentionInputs, 'past'>): Value {
  const { stage } = module;
  const past = { key: stage.use(pastWire(layer, 'key')), value: stage.use(pastWire(layer, 'value')) };
  const { output, present } = attention(module, { ...inputs, past });
  if (present === undefined) throw new Error(`the cache of layer ${layer} is not kept`);
  stage.make(presentWire(layer, 'key'), present.key);
  stage.make(presentWire(layer, 'value'), present.value);
  return output;
}
