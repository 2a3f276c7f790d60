import type { Value } from '../onnx/graph-builder.js';
import { cachedAttention } from './attention.js';
import { linear } from './linear-product.js';
import type { Module } from './module.js';
import { tokenShape } from './token-shape.js';

export interface SelfAttention {
  readonly heads: number;
  readonly headSize: number;
  /** The name of the layer after it. */
  readonly output: string;
  /** What is done to queries and keys by their position, at `module`. Default: nothing. */
  readonly turn?: (module: Module, x: Value) => Value;
}

/** Attention of a decoder's new tokens, `rows`, to themselves and to its cache. `[batch * tokens, width]`, as `rows` are. */
export function selfAttention(
  self: Module,
  layer: number,
  rows: Value,
  { heads, headSize, output, turn = (_, x) => x }: SelfAttention,
): Value {
  const { stage } = self;
  const project = (name: string) =>
    self.node('Reshape', [linear(self.child(name), rows), tokenShape(stage, 'positions')]);
  const attended = cachedAttention(self, layer, {
    query: turn(self.child('q_proj'), project('q_proj')),
    key: turn(self.child('k_proj'), project('k_proj')),
    value: project('v_proj'),
    heads,
    scale: headSize ** -0.5,
    bias: stage.use('attention_bias'),
  });
  return linear(self.child(output), self.reshape(attended, [-1, heads * headSize]));
}
