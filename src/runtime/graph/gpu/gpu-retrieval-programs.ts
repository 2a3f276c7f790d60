/** The programs of a BLIP-2 that compares pictures with texts, on a GPU. `vision` is made once per picture and read by two others. */
import type { RetrievalConfig } from '../../../model/blip2-config.js';
import type { Block } from '../../../model/blocks.js';
import type { Value } from '../../onnx/graph-builder.js';
import { stepsOf, type Lowerings, type Step } from '../program.js';
import { Module } from '../module.js';
import { unitRows } from '../retrieval.js';
import type { StageBuilder } from '../stage-builder.js';
import { lowerGpuVisionEmbeddings, lowerGpuVisionLayer, lowerGpuVisionNorm } from './gpu-vision.js';
import { castTo, floatOf } from './casts.js';
import { linear } from './gpu-module.js';
import {
  lowerGpuQFormerJointLayer,
  lowerGpuQFormerJointNorm,
  lowerGpuQFormerLayer,
  lowerGpuQFormerNorm,
  lowerGpuQFormerTextLayer,
  lowerGpuQFormerTextNorm,
  lowerGpuQueryTokens,
  lowerGpuTextEmbeddings,
} from './gpu-qformer.js';

const PROGRAMS = {
  vision: {
    'vision-embeddings': lowerGpuVisionEmbeddings,
    'vision-layer': lowerGpuVisionLayer,
    'vision-norm': lowerGpuVisionNorm,
  },
  image_embeds: {
    'query-tokens': lowerGpuQueryTokens,
    'qformer-norm': lowerGpuQFormerNorm,
    'qformer-layer': lowerGpuQFormerLayer,
    'vision-projection': lowerGpuVisionProjection,
  },
  text_embeds: {
    'text-embeddings': lowerGpuTextEmbeddings,
    'qformer-norm': lowerGpuQFormerTextNorm,
    'qformer-layer': lowerGpuQFormerTextLayer,
    'text-projection': lowerGpuTextProjection,
  },
  match_logits: {
    'query-tokens': lowerGpuQueryTokens,
    'text-embeddings': lowerGpuTextEmbeddings,
    'qformer-norm': lowerGpuQFormerJointNorm,
    'qformer-layer': lowerGpuQFormerJointLayer,
    'match-head': lowerGpuMatchHead,
  },
} as const satisfies Record<string, Lowerings>;

/** By the wire that it ends in: `pixel_values` to `vision`; `vision` and words to vectors and to the logits of a match. */
export type RetrievalProgram = keyof typeof PROGRAMS;

export const gpuRetrievalSteps = (config: RetrievalConfig, program: RetrievalProgram): Step[] =>
  stepsOf(config, PROGRAMS[program]);

// The heads, for GPUs: products in the device's float, vectors in float32.

/** One unit vector per query of a picture. */
function lowerGpuVisionProjection(stage: StageBuilder, block: Block): void {
  const module = new Module(stage, block.name);
  stage.make('image_embeds', unitRows(module, wideLinear(module, stage.use('query'))));
}

/** One unit vector per word; the first of them stands for the text. */
function lowerGpuTextProjection(stage: StageBuilder, block: Block): void {
  const module = new Module(stage, block.name);
  stage.make('text_embeds', unitRows(module, wideLinear(module, stage.use('words'))));
}

/** `[batch, 2]`: logits of no match and of match, the mean over the queries. */
function lowerGpuMatchHead(stage: StageBuilder, block: Block): void {
  const module = new Module(stage, block.name);
  const perQuery = wideLinear(module, stage.use('query'));
  stage.make('match_logits', module.node('ReduceMean', [perQuery, module.graph.int64s([1])], { keepdims: { int: 0 } }));
}

const wideLinear = (module: Module, x: Value): Value => castTo(module, linear(module, floatOf(module, x)), 'F32');
