/**
 * T5's encoder and decoder: RMS norms, no biases, no scaling of the scores; positions are a bias on the scores that the
 * first layer of each stack looks up for all of them.
 */
import type { T5Config } from '../../model/t5-config.js';
import type { Block } from '../../model/blocks.js';
import type { Value } from '../onnx/graph-builder.js';
import { attention, cachedAttention, type AttentionInputs } from './attention.js';
import { linear } from './linear-product.js';
import { Module } from './module.js';
import type { StageBuilder } from './stage-builder.js';
import { tokenShape } from './token-shape.js';
import { tokenTable } from './vocabulary.js';
import { crossWire, textConfigOf } from './wires.js';

/** Pictures and prompt for the encoder. */
export function lowerT5PromptTokens(stage: StageBuilder, block: Block): void {
  const module = new Module(stage, block.name);
  const text = module.node('Gather', [tokenTable(stage), stage.use('input_ids')]);
  const tokens = module.node('Concat', [stage.use('prefix'), text], { axis: { int: 1 } });
  stage.make('encoder_hidden', module.reshape(tokens, [-1, t5Config(stage).hiddenSize]));
}

export function lowerT5EncoderLayer(stage: StageBuilder, block: Block): void {
  const module = new Module(stage, block.name);
  const self = module.child('layer.0.SelfAttention');
  if (block.index === 0) {
    const bias = positionBias(self, stage.use('encoder_buckets'));
    const mask = self.node('Unsqueeze', [stage.use('encoder_mask'), self.graph.int64s([1, 2])]);
    stage.make('encoder_bias', self.add(bias, mask));
  }
  const shape = tokenShape(stage, 'encoder_mask');
  const residual = sublayer(module, 0, stage.use('encoder_hidden'), (x) => {
    const inputs = projections(self, ['q', 'k', 'v'], x, shape);
    return attend(self, { ...inputs, bias: stage.use('encoder_bias') });
  });
  stage.make('encoder_hidden', feedForward(module, 1, residual));
}

export function lowerT5EncoderNorm(stage: StageBuilder, block: Block): void {
  stage.make('encoder_hidden', rmsNorm(new Module(stage, block.name), stage.use('encoder_hidden')));
}

/** The keys and values of a decoder layer's cross-attention: they depend on the prompt only. */
export function lowerT5CrossCache(stage: StageBuilder, block: Block): void {
  const { heads, headSize } = t5Config(stage);
  const cross = new Module(stage, block.name).child('layer.1.EncDecAttention');
  const shape = stage.once('encoder head shape', () => {
    const tokens = stage.graph.node('Shape', [stage.use('encoder_mask')], { name: 'encoder_heads/Shape' });
    const parts = [tokens, stage.graph.int64s([heads, headSize])];
    return stage.graph.node('Concat', parts, { name: 'encoder_heads/Concat', attributes: { axis: { int: 0 } } });
  });
  for (const [part, name] of [
    ['key', 'k'],
    ['value', 'v'],
  ] as const) {
    const rows = linear(cross.child(name), stage.use('encoder_hidden'));
    const perHead = cross.node('Reshape', [rows, shape]);
    stage.make(crossWire(block.index, part), cross.node('Transpose', [perHead], { perm: { ints: [0, 2, 1, 3] } }));
  }
}

/** The ids that the decoder has made so far, or the newest of them. */
export function lowerT5DecoderTokens(stage: StageBuilder, block: Block): void {
  const module = new Module(stage, block.name);
  const tokens = module.node('Gather', [tokenTable(stage), stage.use('decoder_ids')]);
  stage.make('hidden', module.reshape(tokens, [-1, t5Config(stage).hiddenSize]));
}

export function lowerT5DecoderLayer(stage: StageBuilder, block: Block): void {
  const module = new Module(stage, block.name);
  const self = module.child('layer.0.SelfAttention');
  const cross = module.child('layer.1.EncDecAttention');
  if (block.index === 0) {
    const bias = positionBias(self, stage.use('decoder_buckets'));
    stage.make('decoder_bias', self.add(bias, stage.use('attention_bias')));
  }
  const shape = tokenShape(stage, 'decoder_ids');
  const afterSelf = sublayer(module, 0, stage.use('hidden'), (x) => {
    const inputs = { ...projections(self, ['q', 'k', 'v'], x, shape), bias: stage.use('decoder_bias'), scale: 1 };
    return projected(self, cachedAttention(self, block.index, { ...inputs, heads: t5Config(stage).heads }));
  });
  const afterCross = sublayer(module, 1, afterSelf, (x) => {
    const query = cross.node('Reshape', [linear(cross.child('q'), x), shape]);
    const key = stage.use(crossWire(block.index, 'key'));
    const value = stage.use(crossWire(block.index, 'value'));
    return attend(cross, { query, key, value, bias: stage.use('cross_bias') });
  });
  stage.make('hidden', feedForward(module, 2, afterCross));
}

export function lowerT5DecoderNorm(stage: StageBuilder, block: Block): void {
  stage.make('hidden', rmsNorm(new Module(stage, block.name), stage.use('hidden')));
}

/** `x + branch(norm(x))`, the shape of every sublayer. */
function sublayer(block: Module, index: number, x: Value, branch: (normed: Value) => Value): Value {
  const module = block.child(`layer.${index}`);
  return module.add(x, branch(rmsNorm(module.child('layer_norm'), x)));
}

function feedForward(block: Module, index: number, x: Value): Value {
  const { gated, activation } = t5Config(block.stage);
  const dense = block.child(`layer.${index}.DenseReluDense`);
  return sublayer(block, index, x, (normed) => {
    const inner = (name: string) => linear(dense.child(name), normed);
    const hidden = gated
      ? dense.node('Mul', [dense.activation(inner('wi_0'), activation), inner('wi_1')])
      : dense.activation(inner('wi'), activation);
    return linear(dense.child('wo'), hidden);
  });
}

function projections(module: Module, [q, k, v]: readonly [string, string, string], rows: Value, shape: Value) {
  const project = (name: string) => module.node('Reshape', [linear(module.child(name), rows), shape]);
  return { query: project(q), key: project(k), value: project(v) };
}

function attend(module: Module, inputs: Omit<AttentionInputs, 'heads' | 'scale'>): Value {
  return projected(module, attention(module, { ...inputs, heads: t5Config(module.stage).heads, scale: 1 }).output);
}

function projected(module: Module, heads: Value): Value {
  const { heads: count, headSize } = t5Config(module.stage);
  return linear(module.child('o'), module.reshape(heads, [-1, count * headSize]));
}

/** `[1, heads, queries, keys]` from the bucket of each query and key. */
function positionBias(module: Module, buckets: Value): Value {
  const table = module.child('relative_attention_bias');
  const perPair = table.node('Gather', [table.weight('weight'), buckets]);
  const perHead = table.node('Transpose', [perPair], { perm: { ints: [2, 0, 1] } });
  return table.node('Unsqueeze', [perHead, table.graph.int64s([0])]);
}

function rmsNorm(module: Module, x: Value): Value {
  return module.rmsNorm(x, t5Config(module.stage).layerNormEps);
}

const t5Config = (stage: StageBuilder): T5Config => textConfigOf(stage.config, 't5');
