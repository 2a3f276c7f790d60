/** The programs of a BLIP-2 that compares pictures with texts. `vision` is made once per picture and read by two others. */
import type { RetrievalConfig } from '../../model/blip2-config.js';
import { stepsOf, type Lowerings, type Program } from './program.js';
import {
  lowerQFormerJointLayer,
  lowerQFormerJointNorm,
  lowerQFormerLayer,
  lowerQFormerNorm,
  lowerQFormerTextLayer,
  lowerQFormerTextNorm,
  lowerQueryTokens,
  lowerTextEmbeddings,
} from './qformer.js';
import { lowerMatchHead, lowerTextProjection, lowerVisionProjection } from './retrieval.js';
import { lowerVisionEmbeddings, lowerVisionLayer, lowerVisionNorm } from './vision.js';

/** `pixel_values` to `vision`. */
export function visionProgram(config: RetrievalConfig): Program {
  return program(config, 'vision', {
    'vision-embeddings': lowerVisionEmbeddings,
    'vision-layer': lowerVisionLayer,
    'vision-norm': lowerVisionNorm,
  });
}

/** `vision` to `image_embeds`. */
export function imageEmbedProgram(config: RetrievalConfig): Program {
  return program(config, 'image_embeds', {
    'query-tokens': lowerQueryTokens,
    'qformer-norm': lowerQFormerNorm,
    'qformer-layer': lowerQFormerLayer,
    'vision-projection': lowerVisionProjection,
  });
}

/** `word_ids` and `word_bias` (words alone) to `text_embeds`. */
export function textEmbedProgram(config: RetrievalConfig): Program {
  return program(config, 'text_embeds', {
    'text-embeddings': lowerTextEmbeddings,
    'qformer-norm': lowerQFormerTextNorm,
    'qformer-layer': lowerQFormerTextLayer,
    'text-projection': lowerTextProjection,
  });
}

/** `vision`, `word_ids` and `word_bias` (queries and words) to `match_logits`. */
export function matchProgram(config: RetrievalConfig): Program {
  return program(config, 'match_logits', {
    'query-tokens': lowerQueryTokens,
    'text-embeddings': lowerTextEmbeddings,
    'qformer-norm': lowerQFormerJointNorm,
    'qformer-layer': lowerQFormerJointLayer,
    'match-head': lowerMatchHead,
  });
}

function program(config: RetrievalConfig, output: string, lowerings: Lowerings): Program {
  return { steps: stepsOf(config, lowerings), outputs: [output] };
}
