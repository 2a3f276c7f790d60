import { promptRows, run, work, type BlockWork, type WorkContext } from './block-work.js';

interface HeadSizes {
  readonly vocabSize: number;
  readonly width: number;
  readonly prefillRuns: number;
  readonly steps: number;
}

/** The head over the last position only, and its logits on their way to the host. */
export function headWork(context: WorkContext, { vocabSize, width, prefillRuns, steps }: HeadSizes): BlockWork {
  const { batch, beams } = context.workload;
  const [prompts, rows] = [promptRows(context), batch * beams];
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
