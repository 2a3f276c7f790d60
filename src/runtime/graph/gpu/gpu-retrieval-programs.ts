/** The programs of a BLIP-2 that compares pictures with texts, on a GPU. `vision` is made once per picture and read by two others. */
import type { RetrievalConfig } from '../../../model/blip2-config.js';
import { stepsOf, type Lowerings, type Step } from '../program.js';
import {
  lowerQFormerJointLayer,
  lowerQFormerJointNorm,
  lowerQFormerLayer,
  lowerQFormerNorm,
  lowerQFormerTextLayer,
  lowerQFormerTextNorm,
  lowerQueryTokens,
} from '../qformer.js';
import {
  lowerGpuMatchHead,
  lowerGpuTextEmbeddings,
  lowerGpuTextProjection,
  lowerGpuVisionProjection,
} from './gpu-retrieval.js';
import { lowerGpuVisionEmbeddings, lowerGpuVisionLayer, lowerGpuVisionNorm } from './gpu-vision.js';

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
