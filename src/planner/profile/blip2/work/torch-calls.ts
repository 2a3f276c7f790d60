/**
 * What transformers does on the host for one run of a block, which on a fast GPU takes longer than the arithmetic. Counted
 * with transformers 5.23 and torch 2.15 (`test/fixtures/planner/record_work.py`).
 */
import { isRetrieval, type ModelConfig } from '../../../../model/blip2-config.js';
import type { Block, BlockPhase } from '../../../../model/blocks.js';
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
  switch (block.kind) {
    case 'vision-embeddings':
      return calls(2, 3);
    case 'vision-layer':
      return calls(9, 10);
    case 'vision-norm':
      // Over all rows, and once more over the pooled one.
      return calls(2, 2);
    case 'query-tokens':
      return NO_CALLS;
    case 'qformer-embeddings':
    case 'text-embeddings':
      return calls(4, 7);
    case 'qformer-layer': {
      const own = config.qformer.text === null ? calls(14, 12) : calls(19, 18);
      return block.index % config.qformer.crossAttentionFrequency === 0 ? plus(own, calls(8, 7)) : own;
    }
    case 'qformer-norm':
    case 'projection':
    case 'vision-projection':
    case 'text-projection':
    case 'match-head':
    case 'opt-project-in':
    case 'opt-project-out':
    case 'opt-norm':
      return calls(1, 1);
    case 'opt-positions':
      return calls(1, 2);
    case 'opt-layer':
      return calls(10, 15);
    case 'llama-layer':
      return calls(12, 40);
    case 'llama-norm':
      return calls(1, 8);
    // The mask and positions of the whole model are made beside the look-up.
    case 'opt-tokens':
      return calls(1, 8);
    case 'llama-tokens':
      return calls(1, 15);
    case 't5-tokens':
      return calls(1, 3);
    case 't5-encoder-norm':
    case 't5-decoder-norm':
      return calls(1, 7);
    case 't5-encoder-layer':
      return plus(
        biased(t5Of(config)?.gated === true ? calls(14, 28) : calls(13, 26)),
        block.index === 0 ? calls(1, 31) : NO_CALLS,
      );
    case 't5-decoder-layer':
      if (phase === 'prompt') return calls(2, 3);
      return plus(
        biased(t5Of(config)?.gated === true ? calls(19, 41) : calls(18, 39)),
        block.index === 0 ? calls(1, 38) : NO_CALLS,
      );
    case 'head':
      return headCalls(config);
  }
}

const calls = (modules: number, launches: number): TorchCalls => ({ modules, launches });

const plus = (a: TorchCalls, b: TorchCalls): TorchCalls => calls(a.modules + b.modules, a.launches + b.launches);

const biased = (own: TorchCalls): TorchCalls => plus(own, calls(0, BIASED_ATTENTION));

function headCalls(config: ModelConfig): TorchCalls {
  const t5 = t5Of(config);
  return t5 === null ? calls(1, 1 + LOOP['decoder-only']) : calls(1, (t5.scaleLogits ? 2 : 1) + LOOP.t5);
}

function t5Of(config: ModelConfig): T5Config | null {
  return !isRetrieval(config) && config.text.family === 't5' ? config.text : null;
}
