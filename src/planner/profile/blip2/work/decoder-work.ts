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
  // Of what only the number of tokens counts for: all of the prompt's at once, then one of each row.
  const runs = (cost: (tokens: number) => Partial<RunCost>) => [
    run('prompt', 1, cost(prompts * t)),
    run('token', steps, cost(rows)),
  ];
  const most = Math.max(prompts * t, rows);
  const linear = (inSize: number, outSize: number) =>
    work(
      runs((tokens) => ({ flops: 2 * tokens * inSize * outSize, outputElements: tokens * outSize })),
      { activationElements: most * (inSize + outSize) },
    );
  const lookUp = (width: number, hostTransfers: number) =>
    work(
      runs((tokens) => ({ rowElements: tokens * width, outputElements: tokens * d })),
      {
        activationElements: most * width * 2,
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
      const layer = (sequences: number, tokens: number, seen: number): Partial<RunCost> => ({
        flops: sequences * (2 * tokens * weights + 4 * tokens * seen * inner),
        stateElements: sequences * 2 * seen * inner,
        outputElements: sequences * tokens * d,
      });
      return work([run('prompt', 1, layer(prompts, t, t)), run('token', steps, layer(rows, 1, mean))], {
        cacheElements: rows * 2 * length * inner,
        quantizedCacheBytes: quantizes ? rows * 2 * length * heads * quantizedHeadBytes(inner / heads) : null,
        activationElements: Math.max(
          prompts * Math.max(2 * t * d + gates * t * f, 2 * t * d + 3 * t * inner + 2 * heads * t * t),
          // A step holds the grown cache of one layer beside the old one.
          rows * (2 * length * inner + 2 * heads * length + 2 * d + 3 * inner),
        ),
      });
    }
    case 'opt-norm':
    case 'llama-norm':
      return work(
        runs((tokens) => ({ flops: 8 * tokens * d, outputElements: tokens * d })),
        { activationElements: most * 2 * d },
      );
    default:
      return headWork(context, { vocabSize: v, width: e, prefillRuns: 1, steps });
  }
}
