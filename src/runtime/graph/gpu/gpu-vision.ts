/** The vision transformer for GPUs: `pixel_values` to `patches`, and through its layers to the rows that the Q-Former reads. */
import type { Block } from '../../../model/blocks.js';
import type { Value } from '../../onnx/graph-builder.js';
import { Module } from '../module.js';
import type { StageBuilder } from '../stage-builder.js';
import { visionTokens } from '../vision.js';
import { floatOf, toFloat } from './casts.js';
import { attendPacked } from './gpu-attention-of-all.js';
import { activatedLinear, addLinear, bias, normOf } from './gpu-module.js';
import { floatProduct, product } from './gpu-product.js';

/** The patches as rows of pixels times the convolution's weights: its stride is its size. */
export function lowerGpuVisionEmbeddings(stage: StageBuilder, block: Block): void {
  const { hiddenSize, patchSize, channels } = stage.config.vision;
  const { rows, columns } = stage.picture;
  const module = new Module(stage, block.name);
  const pixels = toFloat(module, stage.use('pixel_values'));
  const last = [rows * patchSize, columns * patchSize];
  const whole = module.node('Slice', [pixels, ...[[0, 0], last, [2, 3]].map((list) => module.graph.int64s(list))]);
  const cut = module.reshape(whole, [-1, channels, rows, patchSize, columns, patchSize]);
  const grid = module.node('Transpose', [cut], { perm: { ints: [0, 2, 4, 1, 3, 5] } });
  const patchPixels = channels * patchSize ** 2;
  const patches = module.reshape(grid, [-1, rows * columns, patchPixels]);

  const conv = module.child('patch_embedding');
  const name = `${conv.path}.weight`;
  const kernels = { name, tensors: [name], rows: hiddenSize, columns: patchPixels };
  const projected = conv.add(floatProduct(conv, patches, kernels), conv.weight('bias'));
  const batch = module.node('Shape', [pixels], { start: { int: 0 }, end: { int: 1 } });
  const classShape = module.node('Concat', [batch, stage.graph.int64s([1, 1])], { axis: { int: 0 } });
  const classRows = module.node('Expand', [module.weight('class_embedding'), classShape]);
  const tokens = module.node('Concat', [classRows, projected], { axis: { int: 1 } });
  stage.makeTyped('patches', module.add(tokens, positions(stage, block)));
}

function positions(stage: StageBuilder, block: Block): Value {
  const module = new Module(stage, block.name);
  const { config, picture } = stage;
  if (picture.positions === null) return module.weight('position_embedding');
  const dims = [1, picture.rows * picture.columns + 1, config.vision.hiddenSize];
  return toFloat(module, module.graph.constant(`${module.path}.position_embedding`, 'F32', dims, picture.positions));
}

export function lowerGpuVisionLayer(stage: StageBuilder, block: Block): void {
  const { hiddenSize, heads, activation, layerNormEps } = stage.config.vision;
  const module = new Module(stage, block.name);
  const self = module.child('self_attn');
  const qkv = self.child('qkv');
  const normed = normOf(module.child('layer_norm1'), 'patches', hiddenSize, layerNormEps);
  const seen = { tokens: visionTokens(stage) };
  const attended = attendPacked(self, product(qkv, normed), bias(qkv), { heads, width: hiddenSize / heads }, seen);
  addLinear('patches', self.child('projection'), attended);

  const mlp = module.child('mlp');
  const inner = normOf(module.child('layer_norm2'), 'patches', hiddenSize, layerNormEps);
  addLinear('patches', mlp.child('fc2'), activatedLinear(mlp.child('fc1'), inner, activation));
}

/** What the Q-Former reads. */
export function lowerGpuVisionNorm(stage: StageBuilder, block: Block): void {
  const { hiddenSize, layerNormEps } = stage.config.vision;
  const module = new Module(stage, block.name);
  stage.make('vision', normOf(module, 'patches', hiddenSize, layerNormEps));
}

/** From the Q-Former's rows to the language model's. */
export function lowerGpuProjection(stage: StageBuilder, block: Block): void {
  const module = new Module(stage, block.name);
  stage.make('language_input', module.add(product(module, floatOf(module, stage.use('query'))), module.weight('bias')));
}
