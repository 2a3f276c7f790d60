/**
 * What one block of BLIP-2 costs: FLOPs, bytes read, caches and activations, for a workload.
 *
 * Letters as usual: S vision tokens, Q query tokens, T prompt tokens (queries included), N new tokens. A Q-Former that
 * reads text, too, has T rows instead of Q. A decoder runs once over the prompt and N-1 times over one token; the T5
 * decoder runs N times, its cross keys and values once. Peaks of activations are those of unfused attention, the larger
 * of attention and feed-forward.
 */
import { isRetrieval } from '../../../../model/blip2-config.js';
import type { Block } from '../../../../model/blocks.js';
import type { BlockWork, WorkContext } from './block-work.js';
import { decoderWork } from './decoder-work.js';
import { imageWork } from './image-work.js';
import { t5Work } from './t5-work.js';
import { torchCalls } from './torch-calls.js';

export function blip2Work(block: Block, context: WorkContext): BlockWork {
  const work = workOf(block, context);
  return {
    ...work,
    runs: work.runs.map((each) => ({ ...each, torch: torchCalls(block, each.phase, context.config) })),
  };
}

function workOf(block: Block, context: WorkContext): BlockWork {
  const { config } = context;
  if (isRetrieval(config) || block.phase === 'image') return imageWork(block, context);
  return config.text.family === 't5' ? t5Work(block, config.text, context) : decoderWork(block, config.text, context);
}
