/** Which nodes a layer of the Q-Former has on a card with operators of our own, and on others; and a decoder layer's ReLU. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fromBinary } from '@bufbuild/protobuf';
import { expect, it } from 'vitest';
import { GOLDENS } from '../../../../test/golden/golden.js';
import { parseBlip2Config } from '../../../model/blip2-config.js';
import type { BlockKind } from '../../../model/blocks.js';
import { blip2Tensors } from '../../../model/blip2-tensors.js';
import { computedDtypes } from '../../session/gpu/device/computed-dtypes.js';
import { ModelProtoSchema } from '../../onnx/onnx_pb.js';
import { StageBuilder, type OwnOperators } from '../stage-builder.js';
import { Weights } from '../weights.js';
import { gpuImageSteps, gpuTokenSteps } from './gpu-programs.js';
import { cudaStyle, gpuStyle, type GpuStyle } from './gpu-style.js';

const ALL: OwnOperators = { attention: true, products: true, activations: true, mixed: true, tuned: true };
const json = JSON.parse(await readFile(join(GOLDENS, 'tiny-opt/config.json'), 'utf8')) as { qformer_config: object };

interface Sizes {
  /** Of a head of the Q-Former's two. */
  readonly head?: number;
  /** Patches of a picture in a row, and in a column. */
  readonly side?: number;
}

/** Operators of one layer, whose weights are in the dtypes that they have on a device of this style. */
function layer(kind: BlockKind, style: GpuStyle, own: OwnOperators, { head = 64, side = 16 }: Sizes = {}): string[] {
  const qformer = { hidden_size: 2 * head, num_attention_heads: 2, intermediate_size: 4 * head };
  const config = parseBlip2Config({
    ...json,
    num_query_tokens: 32,
    qformer_config: { ...json.qformer_config, ...qformer },
  });
  const stored = blip2Tensors(config, { dtype: 'F16', ownHead: true });
  const dtypes = computedDtypes(config, stored, () => style);
  const tensors = new Map(
    [...stored].map(([name, { dtype, shape }]) => [
      name,
      { dtype: dtypes.get(name) ?? dtype, shape, file: '/none', begin: 0, end: 0 },
    ]),
  );
  const picture = { rows: side, columns: side, positions: null };
  const weights = new Weights(config, tensors);
  const stage = new StageBuilder({ config, weights, folder: '/', picture, style, own });
  const steps = [...gpuImageSteps(config), ...gpuTokenSteps(config)];
  const step = steps.find(({ block }) => block.kind === kind && block.index === 0);
  if (step === undefined) throw new Error(`no ${kind}`);
  step.lower(stage, step.block);
  stage.finish(['query', 'hidden']);
  const { graph } = fromBinary(ModelProtoSchema, stage.graph.toModel());
  return (graph?.node ?? []).map(({ opType }) => opType);
}

const ofQFormer = (style: GpuStyle, own: OwnOperators, sizes?: Sizes) =>
  layer('qformer-layer', style, own, sizes).filter((op) => /Attention|Norm|Product|MatMul|Gelu|Cast/.test(op));

it('has products in float16, and sums and norms in float32, which leave both', () => {
  const self = ['Cast', 'TunedProduct', 'PackedAttention', 'TunedProduct', 'AddLayerNorm'];
  // All pictures have the queries of one until here, which are cast again once there is a set for each.
  const across = ['Cast', 'TunedProduct', 'TunedProduct', 'PictureAttention', 'TunedProduct', 'AddLayerNorm'];
  const ends = ['TunedProduct', 'BiasGelu', 'TunedProduct', 'AddLayerNorm'];
  expect(ofQFormer(cudaStyle(true), ALL)).toEqual([...self, ...across, ...ends]);
});

it('reads pictures by the kernel where its heads are of 64 and a block of threads has room for their keys', () => {
  for (const sizes of [{ head: 32 }, { side: 24 }]) {
    const ops = ofQFormer(cudaStyle(true), ALL, sizes);
    expect(ops).toContain('MultiHeadAttention');
    expect(ops).not.toContain('PictureAttention');
  }
});

it('has the operators of the provider where there are no others, and no casts where all is float32', () => {
  const half = ofQFormer(cudaStyle(false), ALL);
  expect(half.filter((op) => op === 'SkipLayerNormalization')).toHaveLength(3);
  // To halves twice as above and for the feed-forward, and from the three sublayers' ends.
  expect(half.filter((op) => op === 'Cast')).toHaveLength(6);
  const wide = ofQFormer(gpuStyle('F32'), ALL);
  expect(wide).not.toContain('Cast');
  expect(wide.filter((op) => op === 'MultiHeadAttention')).toHaveLength(2);
});

it('is beside a decoder whose products end in their ReLU, where several rows run', () => {
  const relu = (style: GpuStyle, own: OwnOperators) => layer('opt-layer', style, own).filter((op) => /Relu/.test(op));
  expect(relu(cudaStyle(true), { ...ALL, tuned: false })).toEqual(['TunedRelu']);
  expect(relu(cudaStyle(true), { ...ALL, activations: false })).toEqual(['Relu']);
  expect(relu(cudaStyle(false), ALL)).toEqual(['Relu']);
  expect(relu(gpuStyle('F32'), ALL)).toEqual(['Relu']);
});
