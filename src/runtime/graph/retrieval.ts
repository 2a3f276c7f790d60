/** The heads of a BLIP-2 that compares pictures with texts: unit vectors for each, and the matching of a pair. */
import { isRetrieval } from '../../model/blip2-config.js';
import type { Block } from '../../model/blocks.js';
import type { Value } from '../onnx/graph-builder.js';
import { linear } from './linear-product.js';
import { Module } from './module.js';
import type { StageBuilder } from './stage-builder.js';
import { tokenShape } from './token-shape.js';

/** One unit vector per query of a picture. */
export function lowerVisionProjection(stage: StageBuilder, block: Block): void {
  const module = new Module(stage, block.name);
  const rows = unitRows(module, linear(module, stage.use('query')));
  stage.make('image_embeds', module.reshape(rows, [-1, stage.config.numQueryTokens, embedSize(stage)]));
}

/** One unit vector per word; the first of them stands for the text. */
export function lowerTextProjection(stage: StageBuilder, block: Block): void {
  const module = new Module(stage, block.name);
  const rows = unitRows(module, linear(module, stage.use('words')));
  stage.make('text_embeds', module.node('Reshape', [rows, tokenShape(stage, 'word_ids')]));
}

/** `[batch, 2]`: logits of no match and of match, the mean over the queries. */
export function lowerMatchHead(stage: StageBuilder, block: Block): void {
  const module = new Module(stage, block.name);
  const perQuery = module.reshape(linear(module, stage.use('query')), [-1, stage.config.numQueryTokens, 2]);
  stage.make('match_logits', module.node('ReduceMean', [perQuery, module.graph.int64s([1])], { keepdims: { int: 0 } }));
}

/** torch's `normalize`: the length is at least 1e-12. */
export function unitRows(module: Module, rows: Value): Value {
  const length = module.node('ReduceL2', [rows, module.graph.int64s([-1])], { keepdims: { int: 1 } });
  return module.node('Div', [rows, module.node('Max', [length, module.graph.float(1e-12)])]);
}

export function embedSize({ config }: StageBuilder): number {
  if (!isRetrieval(config)) throw new Error('a head of retrieval in a model that generates text');
  return config.embedSize;
}
