import { Blip2Error } from '../../errors.js';
import type { Block, BlockKind } from '../../model/blocks.js';
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
type Lowering = (stage: StageBuilder, block: Block) => void;

const LOWERINGS: ReadonlyMap<BlockKind, Lowering> = new Map<BlockKind, Lowering>([
  ['vision-embeddings', lowerVisionEmbeddings],
  ['vision-layer', lowerVisionLayer],
  ['vision-norm', lowerVisionNorm],
  ['query-tokens', lowerQueryTokens],
  ['qformer-norm', lowerQFormerNorm],
  ['qformer-layer', lowerQFormerLayer],
  ['projection', lowerProjection],
  ['opt-tokens', lowerOptTokens],
  ['opt-project-in', lowerOptProjectIn],
  ['opt-positions', lowerOptPositions],
  ['opt-layer', lowerOptLayer],
  ['opt-norm', lowerOptNorm],
  ['opt-project-out', lowerOptProjectOut],
  ['head', lowerOptHead],
]);

/**
 * Appends the nodes of one block to a stage.
 * @throws Blip2Error `BLOCK_HAS_NO_GRAPH` for a kind of block that can be planned but not run.
 */
export function lowerBlock(stage: StageBuilder, block: Block): void {
  const lower = LOWERINGS.get(block.kind);
  if (lower === undefined) {
    throw new Blip2Error('BLOCK_HAS_NO_GRAPH', `${block.name} cannot be run: no graph is written for ${block.kind}`);
  }
  lower(stage, block);
}
