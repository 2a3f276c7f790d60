/**
 * The Q-Former: post-norm BERT layers over the learned queries, every second one reading the picture. Where it reads
 * words, too, queries and words attend to each other, and each kind of row has feed-forwards of its own.
 */
import type { Block } from '../../model/blocks.js';
import type { Value } from '../onnx/graph-builder.js';
import { attention } from './attention.js';
import { linear } from './linear-product.js';
import { Module } from './module.js';
import type { StageBuilder } from './stage-builder.js';
import { tokenShape } from './token-shape.js';
import { visionTokens } from './vision.js';
import { textConfig } from './wires.js';

/** Rows, and the shape `[batch, tokens, width]` that they have; both are values. */
interface Rows {
  readonly rows: Value;
  readonly shape: Value;
}

/** The queries are the same for every picture: `query` holds one set of rows until the first layer. */
export function lowerQueryTokens(stage: StageBuilder, block: Block): void {
  const weight = stage.weight(block.name);
  stage.make('query', new Module(stage, block.name).reshape(weight, [-1, stage.config.qformer.hiddenSize]));
}

export function lowerQFormerNorm(stage: StageBuilder, block: Block): void {
  normalize(new Module(stage, block.name), 'query');
}

/** Norm of queries and words: the same one. */
export function lowerQFormerJointNorm(stage: StageBuilder, block: Block): void {
  const module = new Module(stage, block.name);
  normalize(module, 'query');
  normalize(module, 'words');
}

export function lowerQFormerTextNorm(stage: StageBuilder, block: Block): void {
  normalize(new Module(stage, block.name), 'words');
}

function normalize(module: Module, wire: 'query' | 'words'): void {
  const { hiddenSize, layerNormEps } = module.stage.config.qformer;
  module.stage.make(wire, module.layerNorm(module.stage.use(wire), hiddenSize, layerNormEps));
}

/** What BERT adds up for words: their rows, `[batch, words, width]`, and those of their positions, `[words, width]`; in what the tables have. */
export function embeddedWords(module: Module): { readonly rows: Value; readonly places: Value } {
  const ids = module.stage.use('word_ids');
  const words = module.child('word_embeddings');
  const positions = module.child('position_embeddings');
  const length = positions.node('Shape', [ids], { start: { int: 1 }, end: { int: 2 } });
  const places = positions.node('Slice', [positions.weight('weight'), module.graph.int64s([0]), length]);
  return { rows: words.node('Gather', [words.weight('weight'), ids]), places };
}

export function lowerTextEmbeddings(stage: StageBuilder, block: Block): void {
  const module = new Module(stage, block.name);
  const { rows, places } = embeddedWords(module);
  stage.make('words', module.reshape(module.add(rows, places), [-1, stage.config.qformer.hiddenSize]));
}

/** InstructBLIP: the words of the instruction, and the norm that BLIP-2 has outside of its embeddings. */
export function lowerQFormerEmbeddings(stage: StageBuilder, block: Block): void {
  lowerTextEmbeddings(stage, block);
  const norm = new Module(stage, block.name).child('layernorm');
  normalize(norm, 'query');
  normalize(norm, 'words');
}

/** Queries alone. The first layer's self-attention is the same for every picture, so it runs once. */
export function lowerQFormerLayer(stage: StageBuilder, block: Block): void {
  const module = new Module(stage, block.name);
  const x = stage.use('query');
  const attended = bertAttention(module.child('attention'), x, queryShape(stage), {
    rows: x,
    shape: queryShape(stage),
  });
  const isFirst = block.index === 0;
  const batched = isFirst ? repeatQueries(module, attended, batchOf(module, pictureRows(stage).rows)) : attended;
  stage.make('query', feedForward(module, '_query', readPicture(module, block, batched)));
}

/** Words alone, without a picture. */
export function lowerQFormerTextLayer(stage: StageBuilder, block: Block): void {
  const module = new Module(stage, block.name);
  const x = stage.use('words');
  const shape = jointShape(stage);
  const attended = bertAttention(module.child('attention'), x, shape, { rows: x, shape }, stage.use('word_bias'));
  stage.make('words', feedForward(module, '', attended));
}

/** Queries and words attend to each other; only the queries read the picture. */
export function lowerQFormerJointLayer(stage: StageBuilder, block: Block): void {
  const { qformer, numQueryTokens } = stage.config;
  const module = new Module(stage, block.name);
  const shape = jointShape(stage);
  const given = stage.use('query');
  const batch = block.index === 0 ? module.node('Gather', [shape, module.graph.int64s([0])]) : undefined;
  const query = batch === undefined ? given : repeatQueries(module, given, batch);
  const parts = [
    module.node('Reshape', [query, queryShape(stage)]),
    module.node('Reshape', [stage.use('words'), tokenShape(stage, 'word_ids')]),
  ];
  const x = module.reshape(module.node('Concat', parts, { axis: { int: 1 } }), [-1, qformer.hiddenSize]);
  const attended = bertAttention(module.child('attention'), x, shape, { rows: x, shape }, stage.use('word_bias'));

  const joint = module.node('Reshape', [attended, shape]);
  const { graph } = stage;
  const slice = (from: number, to: number) => {
    const bounds = [graph.int64s([from]), graph.int64s([to]), graph.int64s([1])];
    return module.reshape(module.node('Slice', [joint, ...bounds]), [-1, qformer.hiddenSize]);
  };
  stage.make('query', feedForward(module, '_query', readPicture(module, block, slice(0, numQueryTokens))));
  // Nobody reads the words after the last layer.
  if (block.index < qformer.layers - 1) {
    stage.make('words', feedForward(module, '', slice(numQueryTokens, Number.MAX_SAFE_INTEGER)));
  }
}

function readPicture(module: Module, block: Block, rows: Value): Value {
  const { stage } = module;
  if (block.index % stage.config.qformer.crossAttentionFrequency !== 0) return rows;
  return bertAttention(module.child('crossattention'), rows, queryShape(stage), pictureRows(stage));
}

function feedForward(module: Module, kind: '_query' | '', x: Value): Value {
  const { hiddenSize, layerNormEps, activation } = module.stage.config.qformer;
  const inner = module.child(`intermediate${kind}`);
  const hidden = inner.activation(linear(inner.child('dense'), x), activation);
  const output = module.child(`output${kind}`);
  const sum = output.add(linear(output.child('dense'), hidden), x);
  return output.child('LayerNorm').layerNorm(sum, hiddenSize, layerNormEps);
}

/** Attention, output projection, residual and norm of BERT: `rows` are the queries, `memory` the keys and values. */
function bertAttention(module: Module, rows: Value, shape: Value, memory: Rows, bias?: Value): Value {
  const { hiddenSize, heads, layerNormEps } = module.stage.config.qformer;
  const inner = module.child('attention');
  const project = (name: string, from: Rows) =>
    inner.node('Reshape', [linear(inner.child(name), from.rows), from.shape]);
  const { output } = attention(inner, {
    query: project('query', { rows, shape }),
    key: project('key', memory),
    value: project('value', memory),
    heads,
    scale: (hiddenSize / heads) ** -0.5,
    ...(bias === undefined ? {} : { bias }),
  });
  const last = module.child('output');
  const sum = last.add(linear(last.child('dense'), last.reshape(output, [-1, hiddenSize])), rows);
  return last.child('LayerNorm').layerNorm(sum, hiddenSize, layerNormEps);
}

function pictureRows(stage: StageBuilder): Rows {
  const { hiddenSize } = stage.config.qformer;
  return { rows: stage.use('vision'), shape: stage.graph.int64s([-1, visionTokens(stage), hiddenSize]) };
}

function queryShape({ graph, config }: StageBuilder): Value {
  return graph.int64s([-1, config.numQueryTokens, config.qformer.hiddenSize]);
}

/** `[batch, queries and words, -1]`, or of words alone: whatever the words' mask is made for. */
function jointShape(stage: StageBuilder): Value {
  return stage.once('shape of word_bias', () => {
    const module = new Module(stage, 'word_bias');
    const sizes = module.node('Shape', [stage.use('word_bias')]);
    const outer = module.node('Gather', [sizes, stage.graph.int64s([0, 2])]);
    return module.node('Concat', [outer, stage.graph.int64s([-1])], { axis: { int: 0 } });
  });
}

function batchOf(module: Module, pictures: Value): Value {
  const { vision } = module.stage.config;
  const perPicture = module.reshape(pictures, [-1, visionTokens(module.stage), vision.hiddenSize]);
  return module.node('Shape', [perPicture], { start: { int: 0 }, end: { int: 1 } });
}

/** One set of query rows for each of `batch` pictures. */
function repeatQueries(module: Module, queries: Value, batch: Value): Value {
  const { numQueryTokens, qformer } = module.stage.config;
  const sizes = module.graph.int64s([numQueryTokens, qformer.hiddenSize]);
  const shape = module.node('Concat', [batch, sizes], { axis: { int: 0 } });
  const single = module.reshape(queries, [1, numQueryTokens, qformer.hiddenSize]);
  return module.reshape(module.node('Expand', [single, shape]), [-1, qformer.hiddenSize]);
}

export function lowerProjection(stage: StageBuilder, block: Block): void {
  const { hiddenSize } = textConfig(stage.config);
  const module = new Module(stage, block.name);
  const rows = linear(module, stage.use('query'));
  stage.make('language_input', module.reshape(rows, [-1, stage.config.numQueryTokens, hiddenSize]));
}
