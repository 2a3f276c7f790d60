/** The vision transformer for GPUs: `pixel_values` to `patches`, and through its layers to the rows that the Q-Former reads. */
import type { Block } from '../../../model/blocks.js';
import type { Value } from '../../onnx/graph-builder.js';
import { isOfMany } from '../../device/kernels/attention-of-many.js';
import { Module } from '../module.js';
import { plainAttention } from '../plain-attention.js';
import type { StageBuilder } from '../stage-builder.js';
import { visionTokens } from '../vision.js';
import { castTo, toFloat } from './casts.js';
import { activatedLinear, addLinear, bias, normOf, splitInThree } from './gpu-module.js';
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
  const geometry = { heads, scale: (hiddenSize / heads) ** -0.5 };
  addLinear('patches', self.child('projection'), attend(self, product(qkv, normed), bias(qkv), geometry));

  const mlp = module.child('mlp');
  const inner = normOf(module.child('layer_norm2'), 'patches', hiddenSize, layerNormEps);
  addLinear('patches', mlp.child('fc2'), activatedLinear(mlp.child('fc1'), inner, activation));
}

/** @param offset added to queries, keys and values */
function attend(
  self: Module,
  projected: Value,
  offset: Value | undefined,
  { heads, scale }: { readonly heads: number; readonly scale: number },
): Value {
  if (self.stage.attention === 'plain') {
    const [query, key, value] = splitInThree(self, offset === undefined ? projected : self.add(projected, offset));
    return plainAttention(self, { query, key, value, heads, scale });
  }
  const { hiddenSize } = self.stage.config.vision;
  const tokens = visionTokens(self.stage);
  const isOwn = self.stage.own.attention && isOfMany({ tokens, width: hiddenSize / heads, capacity: tokens });
  if (isOwn && offset !== undefined && self.stage.float === 'F16') {
    const options = {
      ...self.named('PackedAttention', { num_heads: { int: heads }, scale }),
      domain: 'blip2',
    } as const;
    return self.graph.node('PackedAttention', [projected, offset], options);
  }
  const operands = [...splitInThree(self, projected), ...(offset === undefined ? [] : [offset])];
  return self.fused('MultiHeadAttention', operands, { num_heads: { int: heads }, scale });
}

/** Ends in float32 rows, as the Q-Former reads them. */
export function lowerGpuVisionNorm(stage: StageBuilder, block: Block): void {
  const { hiddenSize, layerNormEps } = stage.config.vision;
  const module = new Module(stage, block.name);
  const normed = castTo(module, normOf(module, 'patches', hiddenSize, layerNormEps), 'F32');
  stage.make('vision', module.reshape(normed, [-1, hiddenSize]));
}

/** From the Q-Former's float32 rows to the language model's. */
export function lowerGpuProjection(stage: StageBuilder, block: Block): void {
  const { numQueryTokens, qformer } = stage.config;
  const module = new Module(stage, block.name);
  const rows = module.reshape(toFloat(module, stage.use('query')), [-1, numQueryTokens, qformer.hiddenSize]);
  stage.make('language_input', module.add(product(module, rows), module.weight('bias')));
}
