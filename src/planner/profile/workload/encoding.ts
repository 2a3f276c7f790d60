/** How the pictures of a call are encoded: the planner counts it so, and `blip2-run` does it so. */
import type { Workload } from './workload.js';

/** Pictures that are encoded together where nobody says how many: a vision tower is no faster with more. */
export const MOST_TOGETHER = 64;
/**
 * Pictures that a streamed vision tower passes over at a time: their activations wait on the device from block to block. So many
 * take the card as long as the tower's way to it (H200: 45 and 36 ms).
 */
const LEAST_PER_SWEEP = 32;
const MOST_PER_SWEEP = 64;

/** How a call's pictures are encoded. */
export interface Encoding {
  /** Pictures of one micro-batch. */
  readonly together: number;
  /** Pictures for which weights are streamed once: micro-batches that pass each block one after the other. */
  readonly perSweep: number;
}

/** Where `encoded` is said, there are more pictures to come than those that are decoded at once. */
export function encodingOf({ batch, encoded }: Pick<Workload, 'batch' | 'encoded'>): Encoding {
  if (encoded === undefined) return { together: batch, perSweep: batch };
  const together = Math.min(encoded, batch);
  return { together, perSweep: Math.max(together, Math.min(MOST_PER_SWEEP, Math.max(batch, LEAST_PER_SWEEP))) };
}
