/** The Q-Former's query path: post-norm BERT layers over the learned queries, every second one reading the picture. */
import type { Block } from '../../model/blocks.js';
import type { Value } from '../onnx/graph-builder.js';
import { attention } from './attention.js';
import type { Module } from './module.js';
import type { StageBuilder } from './stage-builder.js';
import { visionTokens } from './vision.js';

/** The queries are the same for every picture: `query` holds one set of rows until the first layer reads a picture. */
export function lowerQueryTokens(stage: StageBuilder, block: Block): void {
  const weight = stage.graph.weight(block.name, stage.weights.get(block.name));
  stage.make('query', stage.module(block.name).reshape(weight, [-1, stage.config.qformer.hiddenSize]));
}

export function lowerQFormerNorm(stage: StageBuilder, block: Block): void {
  const { hiddenSize, layerNormEps } = stage.config.qformer;
  stage.make('query', stage.module(block.name).layerNorm(stage.use('query'), hiddenSize, layerNormEps));
}

export function lowerQFormerLayer(stage: StageBuilder, block: Block): void {
  const { qformer, numQueryTokens } = stage.config;
  const { hiddenSize, crossAttentionFrequency, layerNormEps, activation } = qformer;
  const module = stage.module(block.name);
  const tokens = numQueryTokens;

  let x = stage.use('query');
  x = bertAttention(module.child('attention'), x, { rows: x, tokens });
  if (block.index % crossAttentionFrequency === 0) {
    const picture = { rows: stage.use('vision'), tokens: visionTokens(stage) };
    if (block.index === 0) x = repeatPerPicture(module, x, picture);
    x = bertAttention(module.child('crossattention'), x, picture);
  }
  const inner = module.child('intermediate_query');
  const hidden = inner.activation(inner.child('dense').linear(x), activation);
  const output = module.child('output_query');
  const sum = output.add(output.child('dense').linear(hidden), x);
  stage.make('query', output.child('LayerNorm').layerNorm(sum, hiddenSize, layerNormEps));
}

interface Rows {
  readonly rows: Value;
  /** Rows per picture. */
  readonly tokens: number;
}

/** Attention, output projection, residual and norm of BERT: `rows` are the queries, `memory` the keys and values. */
function bertAttention(module: Module, rows: Value, memory: Rows): Value {
  const { numQueryTokens, qformer } = module.stage.config;
  const { hiddenSize, heads, layerNormEps } = qformer;
  const inner = module.child('attention');
  const project = (name: string, from: Rows) =>
    inner.reshape(inner.child(name).linear(from.rows), [-1, from.tokens, hiddenSize]);
  const { output } = attention(inner, {
    query: project('query', { rows, tokens: numQueryTokens }),
    key: project('key', memory),
    value: project('value', memory),
    heads,
    scale: (hiddenSize / heads) ** -0.5,
  });
  const last = module.child('output');
  const sum = last.add(last.child('dense').linear(last.reshape(output, [-1, hiddenSize])), rows);
  return last.child('LayerNorm').layerNorm(sum, hiddenSize, layerNormEps);
}

function repeatPerPicture(module: Module, queries: Value, picture: Rows): Value {
  const { hiddenSize } = module.stage.config.qformer;
  const { vision, numQueryTokens } = module.stage.config;
  const pictures = module.reshape(picture.rows, [-1, picture.tokens, vision.hiddenSize]);
  const batch = module.node('Shape', [pictures], { start: { int: 0 }, end: { int: 1 } });
  const shape = module.node('Concat', [batch, module.graph.int64s([numQueryTokens, hiddenSize])], { axis: { int: 0 } });
  const single = module.reshape(queries, [1, numQueryTokens, hiddenSize]);
  return module.reshape(module.node('Expand', [single, shape]), [-1, hiddenSize]);
}

export function lowerProjection(stage: StageBuilder, block: Block): void {
  const { numQueryTokens, text } = stage.config;
  const module = stage.module(block.name);
  const rows = module.linear(stage.use('query'));
  stage.make('language_input', module.reshape(rows, [-1, numQueryTokens, text.hiddenSize]));
}
