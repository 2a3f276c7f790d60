import type { GpuProfile } from '../../planner/price/device-profile.js';
import type { EngineDevice } from '../session/gpu/device/engine-device.js';
import type { measureGpu } from './measure-gpu.js';
import { contextBytes } from './context-bytes.js';

/** The CUDA cards of a machine, by their numbers. */
export interface Cards {
  /** Whether the provider's library loads; takes no memory of a card. */
  readonly load: () => boolean;
  readonly list: () => readonly { readonly name: string }[];
  readonly open: (gpu: number) => EngineDevice;
  /** Whether a card runs anything. */
  readonly works: (gpu: number) => boolean;
  readonly freeBytes: (gpu: number) => number | null;
  /** Takes a context, and answers how to give it back. */
  readonly takeContext: (gpu: number) => () => void;
  readonly measure: typeof measureGpu;
}

export interface Course {
  /** What profiles say of where they come from. */
  readonly source: string;
  readonly onPart: (part: string) => void;
  readonly signal: AbortSignal;
}

/** None where CUDA cannot be used. What fails on a further card than the first is said: the first would be lost by it. */
export async function measureCards({ source, onPart, signal }: Course, cards?: Cards): Promise<GpuProfile[]> {
  const { load, list, open, works, freeBytes, takeContext, measure } = cards ?? (await cudaCards());
  // A card is not opened for a provider that does not load.
  if (!load()) return [];
  const profiles: GpuProfile[] = [];
  for (const [gpu, { name }] of list().entries()) {
    signal.throwIfAborted();
    onPart(name);
    // Before a device is open, whose context is the card's.
    const ofContext = await contextBytes(
      () => freeBytes(gpu),
      () => takeContext(gpu),
    );
    const device = open(gpu);
    using memory = device.memory;
    if (gpu === 0 && !works(gpu)) return [];
    const memoryBytes = memory.room()?.totalBytes ?? null;
    profiles.push(await measure(device, { name, memoryBytes, contextBytes: ofContext }, source));
  }
  return profiles;
}

async function cudaCards(): Promise<Cards> {
  // Only here, because these load native libraries.
  const provider = await import('../device/cuda-provider.js');
  const { cudaDevice } = await import('../session/gpu/device/cuda-device.js');
  const { measureGpu } = await import('./measure-gpu.js');
  return {
    load: provider.readCudaProvider,
    list: provider.cudaCards,
    open: (gpu) => cudaDevice(gpu),
    works: (gpu) => provider.cudaCount(gpu).works,
    freeBytes: provider.freeCudaBytes,
    takeContext: provider.takeCudaContext,
    measure: measureGpu,
  };
}
