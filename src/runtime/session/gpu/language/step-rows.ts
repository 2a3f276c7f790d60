import type { GpuProgram } from '../program/gpu-program.js';

/**
 * Rows that a recorded step runs, those at rest among them: each count is a recording of its own, and few rows more cost
 * hardly anything. On an H200 a step of opt-2.7b takes 2.6 ms for one row, 3.6 for 64 and 8 for 256.
 */
const BUCKETS = [1, 8, 32, 64, 128, 192, 256, 384, 512, 768, 1024];

/**
 * Rows that a step of a program runs.
 * @param used rows up to the last that holds a sequence
 * @param most rows of the caches
 */
export function stepRows(
  { keepsShapes, recordsAny }: Pick<GpuProgram, 'keepsShapes' | 'recordsAny'>,
  used: number,
  most: number,
): number {
  if (keepsShapes) return most;
  if (!recordsAny) return used;
  return Math.min(most, BUCKETS.find((bucket) => bucket >= used) ?? most);
}
