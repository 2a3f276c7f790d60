/**
 * T5 for GPUs: `encoder_hidden` to the keys and values of cross-attention, and `hidden` to `decoded`. In float16 the sums
 * between layers and what feeds them from the feed-forwards stay in float32, where float16 would overflow. Positions and
 * padding are biases that the host makes: `encoder_bias`, `attention_bias` (the decoder's own tokens), `cross_bias`.
 */
import type { Block } from '../../../model/blocks.js';
import type { T5Config } from '../../../model/t5-config.js';
import type { Value } from '../../onnx/graph-builder.js';
import { Module } from '../module.js';
import type { StageBuilder } from '../stage-builder.js';
import { crossWire, textConfigOf } from '../wires.js';
import { castTo, toFloat } from './casts.js';
import type { PlainAttentionInputs } from '../plain-attention.js';
import { biasedAttention, unfusedAttention } from './gpu-attention.js';
import { joinedLinear, splitInThree } from './gpu-module.js';
import { exactProduct, product } from './gpu-product.js';

export function lowerGpuT5EncoderLayer(stage: StageBuilder, block: Block): void {
  const module = new Module(stage, block.name);
  sublayer(module, 0, 'encoder_hidden', (layer, x) => {
    const self = layer.child('SelfAttention');
    const [query, key, value] = splitInThree(self, joinedLinear(self, 'qkv', ['q', 'k', 'v'], x));
    return attended(self, { query, key, value, bias: stage.use('encoder_bias') });
  });
  feedForward(module, 1, 'encoder_hidden');
}

export function lowerGpuT5EncoderNorm(stage: StageBuilder, block: Block): void {
  stage.make('encoded', rmsNorm(new Module(stage, block.name), stage.use('encoder_hidden')));
}

/** The keys and values of a decoder layer's cross-attention: they depend on the prompt only. */
export function lowerGpuT5CrossCache(stage: StageBuilder, block: Block): void {
  const cross = new Module(stage, block.name).child('layer.1.EncDecAttention');
  const { heads, headSize } = t5Config(stage);
  for (const [part, name] of [
    ['key', 'k'],
    ['value', 'v'],
  ] as const) {
    const rows = cross.reshape(product(cross.child(name), stage.use('encoded')), [0, 0, heads, headSize]);
    stage.make(crossWire(block.index, part), cross.node('Transpose', [rows], { perm: { ints: [0, 2, 1, 3] } }));
  }
}

export function lowerGpuT5DecoderLayer(stage: StageBuilder, block: Block): void {
  const { heads, headSize } = t5Config(stage);
  const module = new Module(stage, block.name);
  sublayer(module, 0, 'hidden', (layer, x) => {
    const self = layer.child('SelfAttention');
    const [query, key, value] = splitInThree(self, joinedLinear(self, 'qkv', ['q', 'k', 'v'], x));
    const geometry = { layer: block.index, heads, headSize, scale: 1 };
    return product(self.child('o'), unfusedAttention(self, { query, key, value }, geometry));
  });
  sublayer(module, 1, 'hidden', (layer, x) => {
    const cross = layer.child('EncDecAttention');
    const [key, value] = [stage.use(crossWire(block.index, 'key')), stage.use(crossWire(block.index, 'value'))];
    const query = product(cross.child('q'), x);
    return attended(cross, { query, key, value, perHead: true, bias: stage.use('cross_bias') });
  });
  feedForward(module, 2, 'hidden');
}

export function lowerGpuT5DecoderNorm(stage: StageBuilder, block: Block): void {
  stage.make('decoded', rmsNorm(new Module(stage, block.name), stage.use('hidden')));
}

/** Adds to the wire what `branch` makes of its norm. */
function sublayer(block: Module, index: number, wire: string, branch: (layer: Module, normed: Value) => Value): void {
  const { stage } = block;
  const layer = block.child(`layer.${index}`);
  const x = stage.use(wire);
  stage.make(wire, layer.add(castTo(layer, branch(layer, rmsNorm(layer.child('layer_norm'), x)), 'F32'), x));
}

function feedForward(block: Module, index: number, wire: string): void {
  const { gated, activation } = t5Config(block.stage);
  sublayer(block, index, wire, (layer, x) => {
    const dense = layer.child('DenseReluDense');
    const inner = (name: string) => product(dense.child(name), x);
    const hidden = gated
      ? dense.node('Mul', [dense.activation(inner('wi_0'), activation), inner('wi_1')])
      : dense.activation(inner('wi'), activation);
    return exactProduct(dense.child('wo'), hidden);
  });
}

function attended(module: Module, inputs: Omit<PlainAttentionInputs, 'heads' | 'scale'>): Value {
  const { heads } = t5Config(module.stage);
  return product(module.child('o'), biasedAttention(module, { ...inputs, heads, scale: 1 }));
}

/** Of float32 rows, in the device's float: the operator's result is of its scale's type. */
function rmsNorm(module: Module, x: Value): Value {
  const { weights, float } = module.stage;
  const { layerNormEps: epsilon } = t5Config(module.stage);
  const normed = module.rmsNorm(x, epsilon);
  return weights.get(`${module.path}.weight`).dtype === float ? normed : toFloat(module, normed);
}

const t5Config = (stage: StageBuilder): T5Config => textConfigOf(stage.config, 't5');
