import { run, work, type BlockWork } from './block-work.js';

export interface HeadSizes {
  readonly vocabSize: number;
  readonly width: number;
  readonly prompts: number;
  readonly rows: number;
  readonly prefillRuns: number;
  readonly steps: number;
}

/** The head over the last position only, and its logits on their way to the host. */
export function headWork({ vocabSize, width, prompts, rows, prefillRuns, steps }: HeadSizes): BlockWork {
  return work(
    [
      run('prompt', prefillRuns, { flops: 2 * prompts * vocabSize * width }),
      run('token', steps, { flops: 2 * rows * vocabSize * width }),
    ],
    {
      // Logits in the compute dtype and twice in float32 (a copy, and the scores made of it).
      activationElements: Math.max(prompts, rows) * (width + 5 * vocabSize),
      hostTraffic: {
        transfers: prefillRuns + steps,
        elements: (prefillRuns * prompts + steps * rows) * vocabSize,
      },
    },
  );
}
