/** The programs of BLIP-2 on a GPU: once per picture, and once per token. Rows of token tables are looked up by the host. */
import type { Blip2Config } from '../../../model/blip2-config.js';
import { blip2Blocks, type BlockKind } from '../../../model/blocks.js';
import type { Lowering, Step } from '../program.js';
import { lowerQFormerLayer, lowerQFormerNorm, lowerQueryTokens } from '../qformer.js';
import { lowerGpuHead } from './gpu-head.js';
import { lowerGpuOptLayer, lowerGpuOptNorm, lowerGpuOptProjectIn, lowerGpuOptProjectOut } from './gpu-opt.js';
import { lowerGpuProjection, lowerGpuVisionEmbeddings, lowerGpuVisionLayer, lowerGpuVisionNorm } from './gpu-vision.js';

type Lowerings = Partial<Record<BlockKind, Lowering>>;

const IMAGE: Lowerings = {
  'vision-embeddings': lowerGpuVisionEmbeddings,
  'vision-layer': lowerGpuVisionLayer,
  'vision-norm': lowerGpuVisionNorm,
  'query-tokens': lowerQueryTokens,
  'qformer-norm': lowerQFormerNorm,
  'qformer-layer': lowerQFormerLayer,
  projection: lowerGpuProjection,
};

const TOKEN: Lowerings = {
  'opt-project-in': lowerGpuOptProjectIn,
  'opt-layer': lowerGpuOptLayer,
  'opt-norm': lowerGpuOptNorm,
  'opt-project-out': lowerGpuOptProjectOut,
  head: lowerGpuHead,
};

/** `pixel_values` to `language_input`. */
export const gpuImageSteps = (config: Blip2Config): Step[] => steps(config, IMAGE);

/** `hidden`, `seqlens`, `total` and the caches to `logits`. */
export const gpuTokenSteps = (config: Blip2Config): Step[] => steps(config, TOKEN);

/** Why a model cannot run on a GPU by these programs; null where it can. */
export function gpuObstacle({ qformer, text }: Blip2Config): string | null {
  if (text.family !== 'opt') return `language models of the family ${text.family} run on the CPU only`;
  if (qformer.text !== null) return 'an InstructBLIP runs on the CPU only';
  return null;
}

function steps(config: Blip2Config, lowerings: Lowerings): Step[] {
  return blip2Blocks(config).flatMap((block) => {
    const lower = lowerings[block.kind];
    return lower === undefined ? [] : [{ block, lower }];
  });
}
