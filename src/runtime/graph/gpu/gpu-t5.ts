/**
 * T5 for GPUs: `encoder_hidden` to the keys and values of cross-attention, and `hidden` to `decoded`. In float16 the sums
 * between layers and what feeds them from the feed-forwards stay in float32, where float16 would overflow. Positions and
 * padding are biases that the host makes: `encoder_bias`, `attention_bias` (the decoder's own tokens), `cross_bias`. Operators of our own
 * read `distance_bias` and lengths in place of the decoder's two.
 */
import type { Block } from '../../../model/blocks.js';
import type { Activation } from '../../../model/config-fields.js';
import { hasOwnAttention } from '../../../model/quantized-caches.js';
import type { T5Config } from '../../../model/t5-config.js';
import type { Value } from '../../onnx/graph-builder.js';
import { Module } from '../module.js';
import type { StageBuilder } from '../stage-builder.js';
import { crossWire, textConfigOf } from '../wires.js';
import { castTo, toFloat } from './casts.js';
import { biasedAttention, fusedAttention, unfusedAttention } from './gpu-attention.js';
import { joinedLinear, ownNode, splitInThree } from './gpu-module.js';
import { exactProduct, product } from './gpu-product.js';

export function lowerGpuT5EncoderLayer(stage: StageBuilder, block: Block): void {
  const module = new Module(stage, block.name);
  sublayer(module, 0, 'encoder_hidden', (layer, x) => {
    const self = layer.child('SelfAttention');
    const [query, key, value] = splitInThree(self, joinedLinear(self, 'qkv', ['q', 'k', 'v'], x));
    const { heads } = t5Config(stage);
    const inputs = { query, key, value, bias: stage.use('encoder_bias'), heads, scale: 1 };
    return { made: product(self.child('o'), biasedAttention(self, inputs)) };
  });
  feedForward(module, 1, 'encoder_hidden');
}

export function lowerGpuT5EncoderNorm(stage: StageBuilder, block: Block): void {
  stage.make('encoded', normOfWire(new Module(stage, block.name), 'encoder_hidden'));
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
  const isOwn = stage.own.attention && hasOwnAttention(headSize);
  sublayer(module, 0, 'hidden', (layer, x) => {
    const self = layer.child('SelfAttention');
    const qkv = joinedLinear(self, 'qkv', ['q', 'k', 'v'], x);
    const geometry = { layer: block.index, heads, headSize, scale: 1 };
    const unfused = (): Value => {
      const [query, key, value] = splitInThree(self, qkv);
      return unfusedAttention(self, { query, key, value }, geometry);
    };
    const attended = isOwn ? fusedAttention(self, qkv, geometry, { bias: 'distance_bias' }) : unfused();
    return { made: product(self.child('o'), attended) };
  });
  sublayer(module, 1, 'hidden', (layer, x) => {
    const cross = layer.child('EncDecAttention');
    const [key, value] = [stage.use(crossWire(block.index, 'key')), stage.use(crossWire(block.index, 'value'))];
    const query = product(cross.child('q'), x);
    const attended = isOwn
      ? ownNode(cross, 'CrossAttention', [query, key, value, stage.use('cross_lengths')], { scale: 1 })
      : biasedAttention(cross, { query, key, value, perHead: true, bias: stage.use('cross_bias'), heads, scale: 1 });
    return { made: product(cross.child('o'), attended) };
  });
  feedForward(module, 2, 'hidden');
}

export function lowerGpuT5DecoderNorm(stage: StageBuilder, block: Block): void {
  stage.make('decoded', normOfWire(new Module(stage, block.name), 'hidden'));
}

/** What is added to a wire, and its dtype where it is not the device's float. */
interface Branch {
  readonly made: Value;
  readonly dtype?: 'F32';
}

/** Adds to the wire what `branch` makes of its norm; added up together with the next norm where one follows. */
function sublayer(block: Module, index: number, wire: string, branch: (layer: Module, normed: Value) => Branch): void {
  const { stage } = block;
  const layer = block.child(`layer.${index}`);
  const { made, ...kind } = branch(layer, normOfWire(layer.child('layer_norm'), wire));
  const add = (a: Value, b: Value) => layer.add(kind.dtype === 'F32' ? a : castTo(layer, a, 'F32'), b);
  stage.makeSum(wire, { ...kind, add, terms: [made, stage.use(wire)] });
}

function feedForward(block: Module, index: number, wire: string): void {
  sublayer(block, index, wire, (layer, x) => {
    const dense = layer.child('DenseReluDense');
    return { made: exactProduct(dense.child('wo'), ...inner(dense, x)), dtype: 'F32' };
  });
}

const OWN_GATES: Partial<Record<Activation, string>> = { gelu: 'GatedGelu', gelu_new: 'GatedGeluNew' };

/** What the second product of a feed-forward reads, and its dtype where it is not the device's float. */
function inner(dense: Module, x: Value): [hidden: Value, dtype?: 'F32'] {
  const { gated, activation, ffnSize } = t5Config(dense.stage);
  const projected = (name: string) => product(dense.child(name), x);
  if (!gated) return [dense.activation(projected('wi'), activation)];
  const gate = OWN_GATES[activation];
  if (dense.stage.own.mixed && gate !== undefined && ffnSize % 8 === 0) {
    return [ownNode(dense, gate, [joinedLinear(dense, 'wi', ['wi_0', 'wi_1'], x)]), 'F32'];
  }
  return [dense.node('Mul', [dense.activation(projected('wi_0'), activation), projected('wi_1')])];
}

/** RMS norm of float32 rows, in the device's float; a sum that waits to be added is added in the same node. */
function normOfWire(module: Module, wire: string): Value {
  const { stage, graph } = module;
  const { weights, float, own } = stage;
  const { layerNormEps: epsilon, hiddenSize } = t5Config(stage);
  const isOfFloat = weights.get(`${module.path}.weight`).dtype === float;
  const sum = own.mixed && isOfFloat && hiddenSize % 4 === 0 ? stage.takeSum(wire) : undefined;
  if (sum !== undefined) {
    const op = sum.dtype === 'F32' ? 'AddWideRmsNorm' : 'AddRmsNorm';
    const operands = [...sum.terms, module.weight('weight')];
    const options = { ...module.named(op, { epsilon }), domain: 'blip2' } as const;
    const [total, normed] = graph.nodes(op, operands, [true, true], options);
    stage.make(wire, total);
    return normed;
  }
  // The operator's result is of its scale's type.
  const normed = module.rmsNorm(stage.use(wire), epsilon);
  return isOfFloat ? normed : toFloat(module, normed);
}

const t5Config = (stage: StageBuilder): T5Config => textConfigOf(stage.config, 't5');
