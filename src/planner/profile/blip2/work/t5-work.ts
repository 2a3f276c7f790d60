/** T5: the encoder once over the prompt, the decoder once per token, its cross keys and values once. */
import type { Block } from '../../../../model/blocks.js';
import type { T5Config } from '../../../../model/t5-config.js';
import { promptRows, run, t5CachedTokens, work, type BlockWork, type WorkContext } from './block-work.js';
import { headWork } from './head-work.js';

export function t5Work(block: Block, text: T5Config, context: WorkContext): BlockWork {
  const { workload } = context;
  const { batch, beams, promptTokens: t, newTokens } = workload;
  const { hiddenSize: d, ffnSize: f, vocabSize: v, heads } = text;
  const inner = heads * text.headSize;
  const gates = text.gated ? 3 : 2;
  const prompts = promptRows(context);
  const rows = batch * beams;
  const mean = (newTokens + 1) / 2;

  switch (block.kind) {
    case 't5-tokens':
      return work(
        [
          run('prompt', 1, { rowElements: prompts * t * d, outputElements: prompts * t * d }),
          run('token', newTokens, { rowElements: rows * d }),
        ],
        {
          activationElements: Math.max(prompts * t, rows) * 2 * d,
          hostTraffic: { transfers: 1 + newTokens, elements: prompts * t + newTokens * rows },
        },
      );
    case 't5-encoder-layer':
      return work(
        [
          run('prompt', 1, {
            flops: prompts * (2 * t * (4 * d * inner + gates * d * f) + 4 * t * t * inner),
            outputElements: prompts * t * d,
          }),
        ],
        { activationElements: prompts * t5Peak(t, d, f, inner, heads, t) },
      );
    case 't5-encoder-norm':
    case 't5-decoder-norm': {
      const encoder = block.kind === 't5-encoder-norm';
      const tokens = encoder ? prompts * t : rows;
      return work(
        [
          run(encoder ? 'prompt' : 'token', encoder ? 1 : newTokens, {
            flops: 6 * tokens * d,
            outputElements: tokens * d,
          }),
        ],
        { activationElements: 2 * tokens * d },
      );
    }
    case 't5-decoder-layer': {
      const crossKeys = 2 * d * inner;
      const perStep = 6 * d * inner + gates * d * f;
      return work(
        [
          run('prompt', 1, {
            flops: prompts * 2 * t * crossKeys,
            uses: 'cross-keys',
            stateElements: prompts * 2 * t * inner,
            // The encoder's output travels on to the layers that have not read it yet.
            outputElements: block.index < text.decoderLayers - 1 ? prompts * t * d : 0,
          }),
          run('token', newTokens, {
            flops: rows * (2 * perStep + 4 * (mean + t) * inner),
            uses: 'all-but-cross-keys',
            stateElements: rows * 2 * mean * inner + prompts * 2 * t * inner,
            outputElements: rows * d,
          }),
        ],
        {
          cacheElements: 2 * t5CachedTokens(context) * inner,
          activationElements: Math.max(
            prompts * (t * d + 2 * t * inner),
            rows * (2 * newTokens * inner + t5Peak(1, d, f, inner, heads, t + newTokens)),
          ),
          // The token just chosen is looked up anew for the first layer of every step.
          extraInputs:
            block.index === 0
              ? [{ from: 'language_model.shared', phase: 'token', runs: newTokens, elements: rows * d }]
              : [],
        },
      );
    }
    default:
      return headWork(context, { vocabSize: v, width: d, prefillRuns: 0, steps: newTokens });
  }
}

function t5Peak(tokens: number, d: number, f: number, inner: number, heads: number, keys: number): number {
  return Math.max(2 * tokens * d + 3 * tokens * f, 2 * tokens * d + 4 * tokens * inner + 2 * heads * tokens * keys);
}
