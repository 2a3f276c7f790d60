/** The vision transformer (EVA-CLIP ViT-g in the published files): pre-norm blocks over patches and a class token. */
import type { Block } from '../../model/blocks.js';
import type { Value } from '../onnx/graph-builder.js';
import { attention } from './attention.js';
import { linear } from './linear-product.js';
import { Module } from './module.js';
import type { StageBuilder } from './stage-builder.js';

export function lowerVisionEmbeddings(stage: StageBuilder, block: Block): void {
  const { hiddenSize, patchSize } = stage.config.vision;
  const module = new Module(stage, block.name);
  const pixels = stage.use('pixel_values');
  const size = [patchSize, patchSize];
  const conv = module.child('patch_embedding');
  const grid = conv.node('Conv', [pixels, conv.weight('weight'), conv.weight('bias')], {
    kernel_shape: { ints: size },
    strides: { ints: size },
  });
  const columns = module.reshape(grid, [0, hiddenSize, -1]);
  const patches = module.node('Transpose', [columns], { perm: { ints: [0, 2, 1] } });
  const batch = module.node('Shape', [pixels], { start: { int: 0 }, end: { int: 1 } });
  const classShape = module.node('Concat', [batch, stage.graph.int64s([1, 1])], { axis: { int: 0 } });
  const classRows = module.node('Expand', [module.weight('class_embedding'), classShape]);
  const tokens = module.node('Concat', [classRows, patches], { axis: { int: 1 } });
  const positioned = module.add(tokens, positions(module));
  stage.make('vision', module.reshape(positioned, [-1, hiddenSize]));
}

/** The checkpoint's table, or one interpolated for the size of the pictures. */
function positions(module: Module): Value {
  const { config, picture } = module.stage;
  if (picture.positions === null) return module.weight('position_embedding');
  const dims = [1, picture.rows * picture.columns + 1, config.vision.hiddenSize];
  return module.graph.constant(`${module.path}.position_embedding`, 'F32', dims, picture.positions);
}

export function lowerVisionLayer(stage: StageBuilder, block: Block): void {
  const { hiddenSize, heads, activation, layerNormEps } = stage.config.vision;
  const module = new Module(stage, block.name);
  const x = stage.use('vision');

  const self = module.child('self_attn');
  const normed = module.child('layer_norm1').layerNorm(x, hiddenSize, layerNormEps);
  const qkv = self.reshape(linear(self.child('qkv'), normed), [-1, visionTokens(stage), 3 * hiddenSize]);
  const [query, key, value] = stage.graph.nodes(
    'Split',
    [qkv],
    [true, true, true],
    self.named('Split', { axis: { int: -1 }, num_outputs: { int: 3 } }),
  );
  const { output } = attention(self, { query, key, value, heads, scale: (hiddenSize / heads) ** -0.5 });
  const attended = module.add(x, linear(self.child('projection'), self.reshape(output, [-1, hiddenSize])));

  const mlp = module.child('mlp');
  const inner = linear(mlp.child('fc1'), module.child('layer_norm2').layerNorm(attended, hiddenSize, layerNormEps));
  stage.make('vision', module.add(attended, linear(mlp.child('fc2'), mlp.activation(inner, activation))));
}

export function lowerVisionNorm(stage: StageBuilder, block: Block): void {
  const { hiddenSize, layerNormEps } = stage.config.vision;
  stage.make('vision', new Module(stage, block.name).layerNorm(stage.use('vision'), hiddenSize, layerNormEps));
}

/** Patches of one picture and the class token. */
export function visionTokens({ picture }: StageBuilder): number {
  return picture.rows * picture.columns + 1;
}
