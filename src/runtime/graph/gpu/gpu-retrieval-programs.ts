/** The programs of a BLIP-2 that compares pictures with texts, on a GPU. `vision` is made once per picture and read by two others. */
import type { RetrievalConfig } from '../../../model/blip2-config.js';
import type { Block } from '../../../model/blocks.js';
import type { Value } from '../../onnx/graph-builder.js';
import { stepsOf, type Lowerings, type Step } from '../program.js';
import {
  lowerQFormerJointLayer,
  lowerQFormerJointNorm,
  lowerQFormerLayer,
  lowerQFormerNorm,
  lowerQFormerTextLayer,
  lowerQFormerTextNorm,
  lowerQueryTokens,
  lowerTextEmbeddings,
} from '../qformer.js';
import { Module } from '../module.js';
import { embedSize, unitRows } from '../retrieval.js';
import type { StageBuilder } from '../stage-builder.js';
import { tokenShape } from '../token-shape.js';
import { lowerGpuVisionEmbeddings, lowerGpuVisionLayer, lowerGpuVisionNorm } from './gpu-vision.js';
import { castTo, toFloat } from './casts.js';
import { linear } from './gpu-module.js';

const PROGRAMS = {
  vision: {
    'vision-embeddings': lowerGpuVisionEmbeddings,
    'vision-layer': lowerGpuVisionLayer,
    'vision-norm': lowerGpuVisionNorm,
  },
  image_embeds: {
    'query-tokens': lowerQueryTokens,
    'qformer-norm': lowerQFormerNorm,
    'qformer-layer': lowerQFormerLayer,
    'vision-projection': lowerGpuVisionProjection,
  },
  text_embeds: {
    'text-embeddings': lowerGpuTextEmbeddings,
    'qformer-norm': lowerQFormerTextNorm,
    'qformer-layer': lowerQFormerTextLayer,
    'text-projection': lowerGpuTextProjection,
  },
  match_logits: {
    'query-tokens': lowerQueryTokens,
    'text-embeddings': lowerGpuTextEmbeddings,
    'qformer-norm': lowerQFormerJointNorm,
    'qformer-layer': lowerQFormerJointLayer,
    'match-head': lowerGpuMatchHead,
  },
} as const satisfies Record<string, Lowerings>;

/** By the wire that it ends in: `pixel_values` to `vision`; `vision` and words to vectors and to the logits of a match. */
export type RetrievalProgram = keyof typeof PROGRAMS;

export const gpuRetrievalSteps = (config: RetrievalConfig, program: RetrievalProgram): Step[] =>
  stepsOf(config, PROGRAMS[program]);

// The heads, for GPUs: products in the device's float, vectors in float32.

/** Rows of tables in whatever float they have, for the Q-Former in float32. */
function lowerGpuTextEmbeddings(stage: StageBuilder, block: Block): void {
  lowerTextEmbeddings(stage, block);
  stage.make('words', castTo(new Module(stage, block.name), stage.use('words'), 'F32'));
}

/** One unit vector per query of a picture. */
function lowerGpuVisionProjection(stage: StageBuilder, block: Block): void {
  const module = new Module(stage, block.name);
  const rows = unitRows(module, floatLinear(module, stage.use('query')));
  stage.make('image_embeds', module.reshape(rows, [-1, stage.config.numQueryTokens, embedSize(stage)]));
}

/** One unit vector per word; the first of them stands for the text. */
function lowerGpuTextProjection(stage: StageBuilder, block: Block): void {
  const module = new Module(stage, block.name);
  const rows = unitRows(module, floatLinear(module, stage.use('words')));
  stage.make('text_embeds', module.node('Reshape', [rows, tokenShape(stage, 'word_ids')]));
}

/** `[batch, 2]`: logits of no match and of match, the mean over the queries. */
function lowerGpuMatchHead(stage: StageBuilder, block: Block): void {
  const module = new Module(stage, block.name);
  const perQuery = module.reshape(floatLinear(module, stage.use('query')), [-1, stage.config.numQueryTokens, 2]);
  stage.make('match_logits', module.node('ReduceMean', [perQuery, module.graph.int64s([1])], { keepdims: { int: 0 } }));
}

function floatLinear(module: Module, rows: Value): Value {
  return castTo(module, linear(module, toFloat(module, rows)), 'F32');
}
