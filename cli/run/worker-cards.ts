import { availableParallelism } from 'node:os';
import type { PlacementOptions } from '../../src/runtime/index.js';
import type { Provider } from '../../src/runtime/device/provider.js';
import { usageError } from '../common/main.js';

/** What a worker's model is started with beside the others. */
export interface WorkerDevices {
  readonly visibleGpus?: readonly number[];
  readonly threads?: number;
}

export interface WorkerRequest {
  readonly workers: number | 'auto';
  readonly placed: PlacementOptions;
  readonly provider: Provider;
  readonly emulateGpu: boolean;
  readonly threads: number | undefined;
}

/**
 * The devices of each worker: CUDA cards of its own, as many as its plan uses, and an equal part of the CPU's threads.
 * @throws Blip2Error `USAGE` for more workers than there are cards for, or for several on GPUs without CUDA
 */
export async function workerDevices(request: WorkerRequest): Promise<WorkerDevices[]> {
  const cardsEach = request.emulateGpu ? 0 : await usedGpus(request);
  if (cardsEach === 0) return shared(request.workers === 'auto' ? 1 : request.workers, request);
  if (request.workers === 1) return [{}];
  const { cudaCards } = await import('../../src/runtime/device/cuda-provider.js');
  const cards = request.provider === 'webgpu' ? 0 : cudaCards().length;
  const most = Math.floor(cards / cardsEach);
  if (request.workers === 'auto' && most <= 1) return [{}];
  const count = request.workers === 'auto' ? most : request.workers;
  if (count > most) {
    const each = cardsEach === 1 ? 'a CUDA card' : `${cardsEach} CUDA cards`;
    throw usageError(
      `${count} workers want ${each} each, and there are ${cards}`,
      'Give --workers auto, or caption on the CPU.',
    );
  }
  return shared(count, request).map((devices, worker) => ({
    ...devices,
    visibleGpus: Array.from({ length: cardsEach }, (_, card) => worker * cardsEach + card),
  }));
}

function shared(count: number, { threads }: WorkerRequest): WorkerDevices[] {
  if (count === 1) return [{}];
  const each = threads ?? Math.max(1, Math.floor(availableParallelism() / count));
  return Array.from({ length: count }, () => ({ threads: each }));
}

/** How many GPUs a model runs on. */
export async function usedGpus({ placed, provider }: Pick<WorkerRequest, 'placed' | 'provider'>): Promise<number> {
  const { plan, budgets } = placed;
  if (budgets !== undefined) return budgets.gpus.size;
  if (plan === undefined) return provider === 'cuda' || provider === 'webgpu' ? 1 : 0;
  const { readPlan } = await import('../../src/planner/plan/document/read-plan.js');
  const map = plan instanceof Map ? plan : readPlan(plan).map;
  const gpus = [...map.values()].filter((device) => typeof device === 'number');
  // A map that uses GPU 1 alone wants to see two of them.
  return gpus.length === 0 ? 0 : Math.max(...gpus) + 1;
}
