import type { Block } from '../../model/blocks.js';
import {
  lowerOptHead,
  lowerOptLayer,
  lowerOptNorm,
  lowerOptPositions,
  lowerOptProjectIn,
  lowerOptProjectOut,
  lowerOptTokens,
} from './opt.js';
import { lowerProjection, lowerQFormerLayer, lowerQFormerNorm, lowerQueryTokens } from './qformer.js';
import type { StageBuilder } from './stage-builder.js';
import { lowerVisionEmbeddings, lowerVisionLayer, lowerVisionNorm } from './vision.js';

/** Appends the nodes of one block to a stage. */
export function lowerBlock(stage: StageBuilder, block: Block): void {
  switch (block.kind) {
    case 'vision-embeddings':
      return lowerVisionEmbeddings(stage, block);
    case 'vision-layer':
      return lowerVisionLayer(stage, block);
    case 'vision-norm':
      return lowerVisionNorm(stage, block);
    case 'query-tokens':
      return lowerQueryTokens(stage, block);
    case 'qformer-norm':
      return lowerQFormerNorm(stage, block);
    case 'qformer-layer':
      return lowerQFormerLayer(stage, block);
    case 'projection':
      return lowerProjection(stage, block);
    case 'opt-tokens':
      return lowerOptTokens(stage, block);
    case 'opt-project-in':
      return lowerOptProjectIn(stage, block);
    case 'opt-positions':
      return lowerOptPositions(stage, block);
    case 'opt-layer':
      return lowerOptLayer(stage, block);
    case 'opt-norm':
      return lowerOptNorm(stage, block);
    case 'opt-project-out':
      return lowerOptProjectOut(stage, block);
    case 'head':
      return lowerOptHead(stage, block);
    case 't5-tokens':
    case 't5-encoder-layer':
    case 't5-encoder-norm':
    case 't5-decoder-layer':
    case 't5-decoder-norm':
      throw new Error(`${block.kind} has no graph`);
  }
}
