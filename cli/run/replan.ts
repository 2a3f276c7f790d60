import type { Blip2Error, Budgets } from '../../src/planner/index.js';
import { freeCudaBytes } from '../../src/runtime/device/cuda-provider.js';

/**
 * Budgets of what the GPUs have left, after an engine found no memory and has ended: somebody else holds the rest.
 * @param freeBytes of a GPU, null where the system does not tell
 * @returns null where that is not what went wrong, or no budget would shrink
 */
export function remainingBudgets(
  error: Blip2Error,
  budgets: Budgets,
  freeBytes: (gpu: number) => number | null = freeCudaBytes,
): Budgets | null {
  const { device } = error.details;
  if (error.code !== 'OUT_OF_MEMORY' || typeof device !== 'string' || !device.startsWith('GPU ')) return null;
  const left = (gpu: number) => freeBytes(gpu) ?? roomOf(error, gpu);
  const gpus = new Map([...budgets.gpus].map(([gpu, bytes]) => [gpu, Math.min(bytes, left(gpu) ?? bytes)] as const));
  const shrinks = [...gpus].some(([gpu, bytes]) => bytes < (budgets.gpus.get(gpu) ?? 0));
  return shrinks ? { ...budgets, gpus } : null;
}

/** What the device that failed had free beside what the engine itself held, which is free by now. */
function roomOf({ details }: Blip2Error, gpu: number): number | null {
  const { device, freeBytes, heldBytes } = details;
  if (device !== `GPU ${gpu}` || typeof freeBytes !== 'number' || typeof heldBytes !== 'number') return null;
  return freeBytes + heldBytes;
}
