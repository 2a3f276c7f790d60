/** The decoder-only language models, OPT and LLaMA: once over the prompt, then once per further token. */
import type { Block } from '../../../../model/blocks.js';
import type { DecoderOnlyConfig } from '../../../../model/language-config.js';
import { mayQuantizeCaches, quantizedHeadBytes } from '../../../../model/quantized-caches.js';
import { cacheLength, promptRows, run, work, type BlockWork, type RunCost, type WorkContext } from './block-work.js';
import { headWork } from './head-work.js';

export function decoderWork(block: Block, text: DecoderOnlyConfig, context: WorkContext): BlockWork {
  const { workload } = context;
  const { batch, beams, promptTokens: t, newTokens } = workload;
  const { hiddenSize: d, ffnSize: f, vocabSize: v, heads } = text;
  const e = text.family === 'opt' ? text.embedSize : d;
  const inner = text.family === 'llama' ? heads * text.headSize : d;
  const gates = text.family === 'llama' ? 3 : 2;
  const prompts = promptRows(context);
  const rows = batch * beams;
  const steps = newTokens - 1;
  const length = cacheLength(context);
  const quantizes = workload.caches === 'int8' && context.engine === 'blip2-run' && mayQuantizeCaches(text);
  // Mean length of the cache over the decode steps, the new token included.
  const mean = t + newTokens / 2;
  const perToken = (prompt: Partial<RunCost>, token: Partial<RunCost>) => [
    run('prompt', 1, prompt),
    run('token', steps, token),
  ];
  const linear = (inSize: number, outSize: number) =>
    work(
      perToken(
        { flops: 2 * prompts * t * inSize * outSize, outputElements: prompts * t * outSize },
        { flops: 2 * rows * inSize * outSize, outputElements: rows * outSize },
      ),
      { activationElements: Math.max(prompts * t, rows) * (inSize + outSize) },
    );
  const lookUp = (width: number, hostTransfers: number) =>
    work(
      perToken(
        { rowElements: prompts * t * width, outputElements: prompts * t * d },
        { rowElements: rows * width, outputElements: rows * d },
      ),
      {
        activationElements: Math.max(prompts * t, rows) * width * 2,
        hostTraffic: { transfers: hostTransfers, elements: hostTransfers === 0 ? 0 : prompts * t + steps * rows },
      },
    );

  switch (block.kind) {
    case 'opt-tokens':
    case 'llama-tokens':
      return lookUp(e, newTokens);
    case 'opt-positions':
      return lookUp(d, 0);
    case 'opt-project-in':
      return linear(e, d);
    case 'opt-project-out':
      return linear(d, e);
    case 'opt-layer':
    case 'llama-layer': {
      const weights = 4 * d * inner + gates * d * f;
      return work(
        perToken(
          {
            flops: prompts * (2 * t * weights + 4 * t * t * inner),
            stateElements: prompts * 2 * t * inner,
            outputElements: prompts * t * d,
          },
          {
            flops: rows * (2 * weights + 4 * mean * inner),
            stateElements: rows * 2 * mean * inner,
            outputElements: rows * d,
          },
        ),
        {
          cacheElements: rows * 2 * length * inner,
          quantizedCacheBytes: quantizes ? rows * 2 * length * heads * quantizedHeadBytes(inner / heads) : null,
          activationElements: Math.max(
            prompts * Math.max(2 * t * d + gates * t * f, 2 * t * d + 3 * t * inner + 2 * heads * t * t),
            // A step holds the grown cache of one layer beside the old one.
            rows * (2 * length * inner + 2 * heads * length + 2 * d + 3 * inner),
          ),
        },
      );
    }
    case 'opt-norm':
    case 'llama-norm':
      return work(
        perToken(
          { flops: 8 * prompts * t * d, outputElements: prompts * t * d },
          { flops: 8 * rows * d, outputElements: rows * d },
        ),
        { activationElements: Math.max(prompts * t, rows) * 2 * d },
      );
    default:
      return headWork({ vocabSize: v, width: e, prompts, rows, prefillRuns: 1, steps });
  }
}
