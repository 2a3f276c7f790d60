/**
 * What transformers does on the host for one run of a block, which on a fast GPU takes longer than the arithmetic. Counted
 * with transformers 5.23 and torch 2.15 (`test/fixtures/planner/record_work.py`).
 */
import { isRetrieval, type ModelConfig } from '../../../../model/blip2-config.js';
import type { Block, BlockKind, BlockPhase } from '../../../../model/blocks.js';
import type { T5Config } from '../../../../model/t5-config.js';
import type { TorchCalls } from '../../model-profile.js';

export const NO_CALLS: TorchCalls = { modules: 0, launches: 0 };

/**
 * Operations more where attention has a bias, as in T5's layers over themselves: CUDA has no fused kernel for it (an H200 with
 * torch 2.11), the CPU, where the rest was counted, has one.
 */
export const BIASED_ATTENTION = 10;

/** `generate()` around the model, once per token: logits' processors, stopping, inputs of the next step. */
const LOOP = { 'decoder-only': 30, t5: 28 } as const;

export function torchCalls(block: Block, phase: BlockPhase, config: ModelConfig): TorchCalls {
  const t5 = t5Of(config);
  switch (block.kind) {
    case 'qformer-layer': {
      const own = config.qformer.text === null ? calls(14, 12) : calls(19, 18);
      return block.index % config.qformer.crossAttentionFrequency === 0 ? plus(own, calls(8, 7)) : own;
    }
    case 't5-encoder-layer': {
      const own = biased(t5?.gated === true ? calls(14, 28) : calls(13, 26));
      return block.index === 0 ? plus(own, calls(1, 31)) : own;
    }
    case 't5-decoder-layer': {
      if (phase === 'prompt') return calls(2, 3);
      const own = biased(t5?.gated === true ? calls(19, 41) : calls(18, 39));
      return block.index === 0 ? plus(own, calls(1, 38)) : own;
    }
    case 'head':
      return t5 === null ? calls(1, 1 + LOOP['decoder-only']) : calls(1, (t5.scaleLogits ? 2 : 1) + LOOP.t5);
    default:
      return COUNTED[block.kind];
  }
}

const calls = (modules: number, launches: number): TorchCalls => ({ modules, launches });

const plus = (a: TorchCalls, b: TorchCalls): TorchCalls => calls(a.modules + b.modules, a.launches + b.launches);

const biased = (own: TorchCalls): TorchCalls => plus(own, calls(0, BIASED_ATTENTION));

/** Of blocks that are the same wherever they stand. */
const COUNTED: Readonly<
  Record<Exclude<BlockKind, 'qformer-layer' | 't5-encoder-layer' | 't5-decoder-layer' | 'head'>, TorchCalls>
> = {
  'vision-embeddings': calls(2, 3),
  'vision-layer': calls(9, 10),
  // Over all rows, and once more over the pooled one.
  'vision-norm': calls(2, 2),
  'query-tokens': NO_CALLS,
  'qformer-norm': calls(1, 1),
  'qformer-embeddings': calls(4, 7),
  'text-embeddings': calls(4, 7),
  projection: calls(1, 1),
  'vision-projection': calls(1, 1),
  'text-projection': calls(1, 1),
  'match-head': calls(1, 1),
  // The mask and positions of the whole model are made beside the look-up.
  'opt-tokens': calls(1, 8),
  'llama-tokens': calls(1, 15),
  't5-tokens': calls(1, 3),
  'opt-positions': calls(1, 2),
  'opt-project-in': calls(1, 1),
  'opt-project-out': calls(1, 1),
  'opt-layer': calls(10, 15),
  'opt-norm': calls(1, 1),
  'llama-layer': calls(12, 40),
  'llama-norm': calls(1, 8),
  't5-encoder-norm': calls(1, 7),
  't5-decoder-norm': calls(1, 7),
};

function t5Of(config: ModelConfig): T5Config | null {
  return !isRetrieval(config) && config.text.family === 't5' ? config.text : null;
}
