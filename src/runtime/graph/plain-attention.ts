import type { Value } from '../onnx/graph-builder.js';
import type { Module } from './module.js';

export interface PlainAttentionInputs {
  /** `[batch, queries, heads * headSize]`, before scaling. */
  readonly query: Value;
  /** `[batch, keys, heads * headSize]`, or `[batch, heads, keys, headSize]` where they are `perHead`. */
  readonly key: Value;
  readonly value: Value;
  readonly perHead?: boolean;
  readonly heads: number;
  /** Factor on the scores. */
  readonly scale: number;
  /** Added to the scores: `[batch, 1 or heads, queries, keys]`, those of a past among the keys. */
  readonly bias?: Value;
}

/** `softmax(scale * q k^T + bias) v` per head, by operators of ONNX: `[batch, queries, heads * headSize]`, all float32. */
export function plainAttention(module: Module, inputs: PlainAttentionInputs): Value {
  const { query, key, value, perHead = false, heads, scale, bias } = inputs;
  const turn = (x: Value, perm: readonly number[]) => module.node('Transpose', [x], { perm: { ints: perm } });
  const split = (x: Value, perm: readonly number[]) => turn(module.reshape(x, [0, 0, heads, -1]), perm);
  const keys = perHead ? turn(key, [0, 1, 3, 2]) : split(key, [0, 2, 3, 1]);
  const values = perHead ? value : split(value, [0, 2, 1, 3]);
  const products = module.node('MatMul', [split(query, [0, 2, 1, 3]), keys]);
  const scores = scale === 1 ? products : module.node('Mul', [products, module.graph.float(scale)]);
  const biased = bias === undefined ? scores : module.add(scores, bias);
  const attended = module.node('MatMul', [module.node('Softmax', [biased], { axis: { int: -1 } }), values]);
  return module.reshape(turn(attended, [0, 2, 1, 3]), [0, 0, -1]);
}
