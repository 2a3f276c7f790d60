/**
 * The Q-Former for GPUs, over `[batch, tokens, width]`: post-norm BERT layers over the learned queries, every second one reading the picture.
 * Where it reads words, too, queries and words attend to each other, and each kind of row has feed-forwards of its own. Products are in the
 * device's float, sums and norms in float32: of rows that are rounded at each of some thirty norms, half of the error would be this.
 */
import type { Block } from '../../../model/blocks.js';
import type { Value } from '../../onnx/graph-builder.js';
import { Module } from '../module.js';
import { embeddedWords } from '../qformer.js';
import type { StageBuilder } from '../stage-builder.js';
import { castTo, floatOf, madeInFloat } from './casts.js';
import { attendAcross, attendPacked } from './gpu-attention-of-all.js';
import { activatedLinear, joinedBias, unbiasedLinear } from './gpu-module.js';
import { product } from './gpu-product.js';

const CHILDREN = ['query', 'key', 'value'];
/** Of these, side by side. */
const PACKED = 'query_key_value';

/** The queries are the same for every picture: `query` holds one set of rows until the first layer. */
export function lowerGpuQueryTokens(stage: StageBuilder, block: Block): void {
  const module = new Module(stage, block.name);
  stage.make('query', module.reshape(stage.weight(block.name), [1, -1, stage.config.qformer.hiddenSize]));
}

export const lowerGpuQFormerNorm = (stage: StageBuilder, block: Block): void =>
  normalize(new Module(stage, block.name), 'query');

export const lowerGpuQFormerTextNorm = (stage: StageBuilder, block: Block): void =>
  normalize(new Module(stage, block.name), 'words');

/** Norm of queries and words: the same one. */
export function lowerGpuQFormerJointNorm(stage: StageBuilder, block: Block): void {
  lowerGpuQFormerNorm(stage, block);
  lowerGpuQFormerTextNorm(stage, block);
}

function normalize(module: Module, wire: 'query' | 'words'): void {
  const { hiddenSize, layerNormEps } = module.stage.config.qformer;
  module.stage.make(wire, module.layerNorm(module.stage.use(wire), hiddenSize, layerNormEps));
}

export function lowerGpuTextEmbeddings(stage: StageBuilder, block: Block): void {
  const module = new Module(stage, block.name);
  const { rows, places } = embeddedWords(module);
  stage.make('words', module.add(castTo(module, rows, 'F32'), castTo(module, places, 'F32')));
}

/** InstructBLIP: the words of the instruction, and the norm that BLIP-2 has outside of its embeddings. */
export function lowerGpuQFormerEmbeddings(stage: StageBuilder, block: Block): void {
  lowerGpuTextEmbeddings(stage, block);
  const norm = new Module(stage, block.name).child('layernorm');
  normalize(norm, 'query');
  normalize(norm, 'words');
}

/** Queries alone. The first layer's self-attention is the same for every picture, so it runs once. */
export function lowerGpuQFormerLayer(stage: StageBuilder, block: Block): void {
  const module = new Module(stage, block.name);
  const attended = attendSelf(module, stage.use('query'), stage.config.numQueryTokens);
  const batched = block.index === 0 ? repeated(module, attended, sizeOf(module, stage.use('vision'), 0)) : attended;
  stage.make('query', feedForward(module, '_query', readPicture(module, block, batched)));
}

/** Words alone, without a picture. */
export function lowerGpuQFormerTextLayer(stage: StageBuilder, block: Block): void {
  const module = new Module(stage, block.name);
  stage.make('words', feedForward(module, '', attendSelf(module, stage.use('words'), null)));
}

/** Queries and words attend to each other; only the queries read the picture. */
export function lowerGpuQFormerJointLayer(stage: StageBuilder, block: Block): void {
  const { qformer, numQueryTokens } = stage.config;
  const module = new Module(stage, block.name);
  const given = stage.use('query');
  const words = stage.use('words');
  const query = block.index === 0 ? repeated(module, given, sizeOf(module, words, 0)) : given;
  const attended = attendSelf(module, module.node('Concat', [query, words], { axis: { int: 1 } }), null);
  const slice = (from: number, to: number) =>
    module.node('Slice', [attended, ...[[from], [to], [1]].map((list) => module.graph.int64s(list))]);
  stage.make('query', feedForward(module, '_query', readPicture(module, block, slice(0, numQueryTokens))));
  // Nobody reads the words after the last layer.
  if (block.index < qformer.layers - 1) {
    stage.make('words', feedForward(module, '', slice(numQueryTokens, Number.MAX_SAFE_INTEGER)));
  }
}

function feedForward(module: Module, kind: '_query' | '', x: Value): Value {
  const inner = module.child(`intermediate${kind}`).child('dense');
  const hidden = activatedLinear(inner, floatOf(module, x), module.stage.config.qformer.activation);
  return addAndNorm(module.child(`output${kind}`), hidden, x);
}

/** @param tokens as many as all rows have; null where they are a batch's, and `word_bias` says which of them are seen */
function attendSelf(module: Module, x: Value, tokens: number | null): Value {
  const attention = module.child('attention');
  const inner = attention.child('attention');
  const packed = unbiasedLinear(inner, PACKED, CHILDREN, floatOf(module, x));
  const seen = tokens === null ? { bias: inner.stage.use('word_bias') } : { tokens };
  const attended = attendPacked(inner, packed, joinedBias(inner, PACKED, CHILDREN), headsOf(module), seen);
  return addAndNorm(attention.child('output'), attended, x);
}

function readPicture(module: Module, block: Block, x: Value): Value {
  const { stage } = module;
  if (block.index % stage.config.qformer.crossAttentionFrequency !== 0) return x;
  const attention = module.child('crossattention');
  const inner = attention.child('attention');
  const queries = product(inner.child('query'), floatOf(module, x));
  const memory = unbiasedLinear(inner, 'key_value', ['key', 'value'], stage.use('vision'));
  const attended = attendAcross(inner, queries, memory, joinedBias(inner, PACKED, CHILDREN), headsOf(module));
  return addAndNorm(attention.child('output'), attended, x);
}

function headsOf({ stage }: Module) {
  const { hiddenSize, heads } = stage.config.qformer;
  return { heads, width: hiddenSize / heads };
}

/** BERT's end of a sublayer: a linear layer, its sum with what the sublayer was given, and the norm of that. */
function addAndNorm(output: Module, x: Value, given: Value): Value {
  const { stage } = output;
  const { layerNormEps: epsilon, hiddenSize } = stage.config.qformer;
  const [dense, norm] = [output.child('dense'), output.child('LayerNorm')];
  const branch = product(dense, x);
  const [weight, shift, offset] = [norm.weight('weight'), norm.weight('bias'), dense.weight('bias')];
  if (stage.own.mixed && stage.float === 'F16' && hiddenSize % 4 === 0) {
    const options = { ...norm.named('AddLayerNorm', { epsilon }), domain: 'blip2' } as const;
    const [made, half] = stage.graph.nodes(
      'AddLayerNorm',
      [branch, offset, given, weight, shift],
      [true, true],
      options,
    );
    madeInFloat(output, made, half);
    return made;
  }
  const wide = stage.float === 'F16' ? castTo(dense, branch, 'F32') : branch;
  return norm.fused('SkipLayerNormalization', [wide, given, weight, shift, offset], { epsilon });
}

const sizeOf = (module: Module, x: Value, axis: number): Value =>
  module.node('Shape', [x], { start: { int: axis }, end: { int: axis + 1 } });

/** One set of query rows for each of `batch` pictures. */
function repeated(module: Module, queries: Value, batch: Value): Value {
  const { numQueryTokens, qformer } = module.stage.config;
  const sizes = module.graph.int64s([numQueryTokens, qformer.hiddenSize]);
  return module.node('Expand', [queries, module.node('Concat', [batch, sizes], { axis: { int: 0 } })]);
}
