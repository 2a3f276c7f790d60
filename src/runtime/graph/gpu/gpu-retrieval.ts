/** The heads of a BLIP-2 that compares pictures with texts, for GPUs: products in the device's float, vectors in float32. */
import type { Block } from '../../../model/blocks.js';
import type { Value } from '../../onnx/graph-builder.js';
import { Module } from '../module.js';
import { lowerTextEmbeddings } from '../qformer.js';
import { embedSize, unitRows } from '../retrieval.js';
import type { StageBuilder } from '../stage-builder.js';
import { tokenShape } from '../token-shape.js';
import { castTo, toFloat } from './casts.js';
import { linear } from './gpu-module.js';

/** Rows of tables in whatever float they have, for the Q-Former in float32. */
export function lowerGpuTextEmbeddings(stage: StageBuilder, block: Block): void {
  lowerTextEmbeddings(stage, block);
  stage.make('words', castTo(new Module(stage, block.name), stage.use('words'), 'F32'));
}

/** One unit vector per query of a picture. */
export function lowerGpuVisionProjection(stage: StageBuilder, block: Block): void {
  const module = new Module(stage, block.name);
  const rows = unitRows(module, floatLinear(module, stage.use('query')));
  stage.make('image_embeds', module.reshape(rows, [-1, stage.config.numQueryTokens, embedSize(stage)]));
}

/** One unit vector per word; the first of them stands for the text. */
export function lowerGpuTextProjection(stage: StageBuilder, block: Block): void {
  const module = new Module(stage, block.name);
  const rows = unitRows(module, floatLinear(module, stage.use('words')));
  stage.make('text_embeds', module.node('Reshape', [rows, tokenShape(stage, 'word_ids')]));
}

/** `[batch, 2]`: logits of no match and of match, the mean over the queries. */
export function lowerGpuMatchHead(stage: StageBuilder, block: Block): void {
  const module = new Module(stage, block.name);
  const perQuery = module.reshape(floatLinear(module, stage.use('query')), [-1, stage.config.numQueryTokens, 2]);
  stage.make('match_logits', module.node('ReduceMean', [perQuery, module.graph.int64s([1])], { keepdims: { int: 0 } }));
}

function floatLinear(module: Module, rows: Value): Value {
  return castTo(module, linear(module, toFloat(module, rows)), 'F32');
}
