/** How the pictures of a call are encoded: the planner counts it so, and `blip2-run` does it so. */
import type { Workload } from './workload.js';

/** Pictures that are encoded together where nobody says how many: a vision tower is no faster with more. */
export const MOST_TOGETHER = 64;
/** Pictures that a streamed vision tower passes over at a time: their activations wait on the device from block to block. */
export const MOST_PER_SWEEP = 64;

/** How a call's pictures are encoded. */
export interface Encoding {
  /** Pictures of one micro-batch. */
  readonly together: number;
  /** Pictures for which weights are streamed once: micro-batches that pass each block one after the other. */
  readonly perSweep: number;
}

export function encodingOf({ batch, encoded = batch }: Pick<Workload, 'batch' | 'encoded'>): Encoding {
  const together = Math.min(encoded, batch);
  return { together, perSweep: Math.min(batch, Math.max(together, MOST_PER_SWEEP)) };
}
