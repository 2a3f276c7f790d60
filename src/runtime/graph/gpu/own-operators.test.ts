/** Which nodes of a decoder's step and of a vision layer are operators of our own. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fromBinary } from '@bufbuild/protobuf';
import { expect, it } from 'vitest';
import { GOLDENS } from '../../../../test/golden/golden.js';
import type { StoredTensor } from '../../../loader/format/stored-tensor.js';
import { parseBlip2Config, type Blip2Config } from '../../../model/blip2-config.js';
import { blip2Tensors } from '../../../model/blip2-tensors.js';
import { quantizedInfos, quantizedNames, type QuantScheme } from '../../../tensor/quantized.js';
import { ModelProtoSchema } from '../../onnx/onnx_pb.js';
import { StageBuilder, type OwnOperators } from '../stage-builder.js';
import { Weights } from '../weights.js';
import { gpuImageSteps, gpuPromptSteps, gpuTokenSteps } from './gpu-programs.js';
import { cudaStyle, gpuStyle, type GpuStyle } from './gpu-style.js';

const LINEAR = /language_model\..*layers\.0\.(self_attn\.[qkv]_proj|self_attn\.out_proj|fc[12])\.weight$/;
const ALL: OwnOperators = { attention: true, products: true, activations: true, mixed: true, tuned: false };
const json = JSON.parse(await readFile(join(GOLDENS, 'tiny-opt/config.json'), 'utf8')) as {
  text_config: object;
  vision_config: object;
};

interface Model {
  readonly hiddenSize: number;
  readonly heads: number;
  readonly scheme: QuantScheme;
  readonly hasBias?: boolean;
}

function firstLayer(
  { hiddenSize, heads, scheme, hasBias = true }: Model,
  style: GpuStyle,
  own?: OwnOperators,
  which = /Attention|Product|NBits|Linear|Add|Relu/,
): string[] {
  const sizes = { hidden_size: hiddenSize, word_embed_proj_dim: hiddenSize, ffn_dim: 512, num_attention_heads: heads };
  const text = { ...json.text_config, ...sizes, enable_bias: hasBias };
  const config = parseBlip2Config({ ...json, text_config: text });
  const stored = (info: Pick<StoredTensor, 'dtype' | 'shape'>) => ({ ...info, file: '/none', begin: 0, end: 0 });
  const tensors = new Map<string, StoredTensor>();
  for (const [name, info] of blip2Tensors(config, { dtype: 'F16', ownHead: true })) {
    if (!LINEAR.test(name)) tensors.set(name, stored(info));
    else {
      const [names, infos] = [quantizedNames(name, scheme), quantizedInfos(info.shape, scheme)];
      tensors.set(names.values, stored(infos.values)).set(names.scales, stored(infos.scales));
    }
  }
  const picture = { rows: 1, columns: 1, positions: null };
  const weights = new Weights(config, tensors);
  const stage = new StageBuilder({
    config,
    weights,
    folder: '/',
    picture,
    style,
    ...(own === undefined ? {} : { own }),
  });
  const step = gpuTokenSteps(config).find(({ block }) => block.kind === 'opt-layer' && block.index === 0);
  if (step === undefined) throw new Error('no layer');
  step.lower(stage, step.block);
  stage.finish(['hidden']);
  const { graph, opsetImport } = fromBinary(ModelProtoSchema, stage.graph.toModel());
  const nodes = graph?.node ?? [];
  const isOwn = nodes.some(({ domain }) => domain === 'blip2');
  expect(opsetImport.some(({ domain }) => domain === 'blip2')).toBe(isOwn);
  return nodes.map(({ opType }) => opType).filter((op) => which.test(op));
}

/** What a layer leaves is added up, because nobody makes a norm of it here. */
const theirs = (attention: string): string[] =>
  `MatMulNBits ${attention} MatMulNBits MatMulNBits Add Relu MatMulNBits Add Add`.split(' ');

/** Where products are finished as they are written. */
const ours = (attention: string): string[] =>
  `${attention} QuantizedProduct QuantizedLinear QuantizedProduct Add Add`.split(' ');

it('are attention and products by integers where the card has kernels', () => {
  const model: Model = { hiddenSize: 256, heads: 4, scheme: 'int8' };
  expect(firstLayer(model, cudaStyle(true), ALL)).toEqual(ours('QuantizedProduct OffsetCachedAttention'));
  expect(firstLayer({ ...model, scheme: 'int4' }, cudaStyle(true), ALL)).toEqual(
    ours('QuantizedProduct OffsetCachedAttention'),
  );
  expect(firstLayer(model, cudaStyle(true), { ...ALL, products: false, activations: false })).toEqual(
    theirs('OffsetCachedAttention'),
  );
});

it('add no bias to queries, keys and values that have none', () => {
  const model: Model = { hiddenSize: 256, heads: 4, scheme: 'int8', hasBias: false };
  expect(firstLayer(model, cudaStyle(true), ALL)).toContain('CachedAttention');
});

it('read caches of integers where a plan keeps them so', () => {
  const model: Model = { hiddenSize: 256, heads: 4, scheme: 'int8' };
  const style = cudaStyle(true, true);
  expect(firstLayer(model, style, ALL)).toEqual(ours('QuantizedProduct OffsetQuantizedCachedAttention'));
  // Of heads that the kernel does not take there is no such cache.
  expect(() => firstLayer({ ...model, hiddenSize: 512, heads: 1 }, style, ALL)).toThrow('nothing reads them');
  const config = parseBlip2Config(json);
  expect(style.wireType(config, 'past.0.key')).toEqual(style.wireType(config, 'present.0.value'));
  expect(style.wireType(config, 'past.0.key').dtype).toBe('U8');
  expect(style.wireType(config, 'hidden')).toEqual(cudaStyle(true).wireType(config, 'hidden'));
});

interface Tower {
  readonly hiddenSize: number;
  readonly heads: number;
  /** Patches of a picture in a row, and in a column. */
  readonly side: number;
}

function visionLayer(
  { hiddenSize, heads, side }: Tower,
  style: GpuStyle,
  own: OwnOperators,
  which = /Attention|Split/,
): string[] {
  const sizes = { hidden_size: hiddenSize, num_attention_heads: heads, image_size: 14 * side, patch_size: 14 };
  const config = parseBlip2Config({ ...json, vision_config: { ...json.vision_config, ...sizes } });
  const tensors = new Map(
    [...blip2Tensors(config, { dtype: 'F16', ownHead: true })].map(([name, { dtype, shape }]) => [
      name,
      { dtype, shape, file: '/none', begin: 0, end: 0 },
    ]),
  );
  const weights = new Weights(config, tensors);
  const picture = { rows: side, columns: side, positions: null };
  const stage = new StageBuilder({ config, weights, folder: '/', picture, style, own });
  const step = gpuImageSteps(config).find(({ block }) => block.kind === 'vision-layer');
  if (step === undefined) throw new Error('no layer');
  step.lower(stage, step.block);
  stage.finish(['patches']);
  const { graph } = fromBinary(ModelProtoSchema, stage.graph.toModel());
  return (graph?.node ?? []).map(({ opType }) => opType).filter((op) => which.test(op));
}

it('are the attention of pictures whose keys and values a block of threads has room for', () => {
  const split = ['Split', 'MultiHeadAttention'];
  const tower: Tower = { hiddenSize: 176, heads: 2, side: 16 };
  expect(visionLayer(tower, cudaStyle(true), ALL)).toEqual(['PackedAttention']);
  expect(visionLayer(tower, cudaStyle(false), ALL)).toEqual(split);
  expect(visionLayer(tower, gpuStyle('F32'), ALL)).toEqual(split);
  // Pictures of more patches, few of them, and heads that no kernel is compiled for.
  expect(visionLayer({ ...tower, side: 17 }, cudaStyle(true), ALL)).toEqual(split);
  expect(visionLayer({ ...tower, side: 3 }, cudaStyle(true), ALL)).toEqual(split);
  expect(visionLayer({ hiddenSize: 192, heads: 2, side: 16 }, cudaStyle(true), ALL)).toEqual(split);
});

it('are products whose algorithm is tried, of halves and where they are asked for', () => {
  const tower: Tower = { hiddenSize: 176, heads: 2, side: 16 };
  const tuned = { ...ALL, tuned: true };
  const products = (style: GpuStyle, own: OwnOperators) => visionLayer(tower, style, own, /Product|MatMul/);
  expect(products(cudaStyle(true), tuned)).toEqual(Array.from({ length: 4 }, () => 'TunedProduct'));
  for (const made of [
    products(cudaStyle(true), ALL),
    products(cudaStyle(false), tuned),
    products(gpuStyle('F32'), tuned),
  ]) {
    expect(made).toEqual(Array.from({ length: 4 }, () => 'FusedMatMul'));
  }
});

const t5Json = JSON.parse(await readFile(join(GOLDENS, 'tiny-flan-t5/config.json'), 'utf8')) as { text_config: object };

/** Two layers of T5's decoder, or of its encoder. */
function t5Layers(
  kind: 't5-decoder-layer' | 't5-encoder-layer',
  style: GpuStyle,
  own: OwnOperators,
  sizes = {},
): string[] {
  const config = parseBlip2Config({ ...t5Json, text_config: { ...t5Json.text_config, d_kv: 16, d_ff: 64, ...sizes } });
  const stage = floatStage(config, style, own);
  const steps = kind === 't5-decoder-layer' ? gpuTokenSteps(config) : gpuPromptSteps(config);
  for (const { block, lower } of steps.filter((step) => step.block.kind === kind).slice(0, 2)) lower(stage, block);
  stage.finish(['hidden', 'encoder_hidden']);
  return opsOf(stage, /Attention|Norm|Gelu|Scatter|Add$/);
}

/** Of weights in float16, but for those that T5 keeps in float32. */
function floatStage(config: Blip2Config, style: GpuStyle, own: OwnOperators): StageBuilder {
  const tensors = new Map(
    [...blip2Tensors(config, { dtype: 'F16', ownHead: true })].map(([name, { shape }]) => {
      const dtype = name.endsWith('.wo.weight') ? ('F32' as const) : ('F16' as const);
      return [name, { dtype, shape, file: '/none', begin: 0, end: 0 }] as const;
    }),
  );
  const picture = { rows: 1, columns: 1, positions: null };
  return new StageBuilder({ config, weights: new Weights(config, tensors), folder: '/', picture, style, own });
}

function opsOf(stage: StageBuilder, which: RegExp): string[] {
  const { graph } = fromBinary(ModelProtoSchema, stage.graph.toModel());
  return (graph?.node ?? []).map(({ opType }) => opType).filter((op) => which.test(op));
}

it('are attention by distance, sums with their norms, and gates of T5', () => {
  const [norm, sum, wide] = ['SimplifiedLayerNormalization', 'AddRmsNorm', 'AddWideRmsNorm'];
  const layer = ['BiasedCachedAttention', sum, 'CrossAttention', sum, 'GatedGelu'];
  expect(t5Layers('t5-decoder-layer', cudaStyle(true), ALL)).toEqual([norm, ...layer, wide, ...layer, 'Add']);
  const encoded = ['MultiHeadAttention', sum, 'GatedGelu'];
  expect(t5Layers('t5-encoder-layer', cudaStyle(true), ALL)).toEqual([norm, ...encoded, wide, ...encoded, 'Add']);
  const byTanh = t5Layers('t5-encoder-layer', cudaStyle(true), ALL, { dense_act_fn: 'gelu_new' });
  expect(byTanh.filter((op) => op.startsWith('Gated'))).toEqual(['GatedGeluNew', 'GatedGeluNew']);
  const scatter = ['ScatterElements', 'ScatterElements', 'MultiHeadAttention'];
  const theirLayer = [norm, ...scatter, 'Add', norm, 'MultiHeadAttention', 'Add', norm, 'Gelu', 'Add'];
  expect(t5Layers('t5-decoder-layer', cudaStyle(false), ALL)).toEqual([...theirLayer, ...theirLayer]);
  expect(t5Layers('t5-decoder-layer', gpuStyle('F32'), ALL)).toEqual([...theirLayer, ...theirLayer]);
  // Gates of another function, and rows that lanes cannot read at once.
  const odd = t5Layers('t5-decoder-layer', cudaStyle(true), ALL, { dense_act_fn: 'relu', d_model: 30 });
  expect(odd.filter((op) => op === 'GatedGelu' || op === sum || op === wide)).toEqual([]);
});

it('are attention with rotary positions, and gates of LLaMA', async () => {
  const file = await readFile(join(GOLDENS, 'tiny-instructblip-llama/config.json'), 'utf8');
  const { text_config, ...rest } = JSON.parse(file) as { text_config: object };
  const layer = (headSize: number, style: GpuStyle) => {
    const sizes = { hidden_size: 4 * headSize, head_dim: headSize, num_attention_heads: 4 };
    const config = parseBlip2Config({ ...rest, text_config: { ...text_config, ...sizes } });
    const stage = floatStage(config, style, ALL);
    const step = gpuTokenSteps(config).find(({ block }) => block.kind === 'llama-layer');
    step?.lower(stage, step.block);
    stage.finish(['hidden']);
    return opsOf(stage, /Attention|Gated|Sigmoid|Rotary/);
  };
  expect(layer(16, cudaStyle(true))).toEqual(['RotaryCachedAttention', 'GatedSilu']);
  expect(layer(16, cudaStyle(false))).toEqual(['GroupQueryAttention', 'Sigmoid']);
  // Heads whose halves no lane reads at once.
  expect(layer(24, cudaStyle(true))).toEqual(['RotaryEmbedding', 'RotaryEmbedding', 'MultiHeadAttention', 'GatedSilu']);
});

it('are activations of rows of whole multiples of 16 bytes', () => {
  const model: Model = { hiddenSize: 256, heads: 4, scheme: 'int8' };
  const noProducts = { ...ALL, products: false };
  expect(firstLayer(model, cudaStyle(true), noProducts, /Relu/)).toEqual(['BiasRelu']);
  expect(firstLayer(model, cudaStyle(true), { ...noProducts, activations: false }, /Relu/)).toEqual(['Relu']);
  expect(firstLayer(model, gpuStyle('F16'), ALL, /Relu/)).toEqual(['Relu']);
});

it('are none where the card has no kernels, or nobody asks for them', () => {
  const model: Model = { hiddenSize: 256, heads: 4, scheme: 'int8' };
  const all = theirs('Add GroupQueryAttention');
  expect(firstLayer(model, cudaStyle(false), ALL)).toEqual(all);
  expect(firstLayer(model, gpuStyle('F16'), ALL)).toEqual(all);
  expect(firstLayer(model, cudaStyle(true))).toEqual(all);
});

it('are not what their kernels do not take', () => {
  // Rows of 160 integers are no whole number of stretches; those of fc2, 512, are.
  const ops = firstLayer({ hiddenSize: 160, heads: 5, scheme: 'int8' }, cudaStyle(true), {
    ...ALL,
    activations: false,
  });
  expect(ops).toEqual(theirs('OffsetCachedAttention').with(6, 'QuantizedProduct'));
  // A head of more than 256.
  expect(firstLayer({ hiddenSize: 512, heads: 1, scheme: 'int8' }, cudaStyle(true), ALL)).toEqual(
    ours('QuantizedLinear GroupQueryAttention'),
  );
});
