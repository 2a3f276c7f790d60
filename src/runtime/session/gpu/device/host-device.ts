import { gpuStyle } from '../../../graph/gpu/gpu-style.js';
import { HostMemory } from '../../../device/memory/host-memory.js';
import type { EngineDevice } from './engine-device.js';

/** The CPU as one of the devices of a model: it computes in float32, from weights where their files are mapped. */
export function hostDevice({ threads }: { readonly threads?: number }): EngineDevice {
  return {
    isHost: true,
    memory: new HostMemory(),
    style: gpuStyle('F32'),
    // Each run of host blocks is a session with threads of its own: all but one would spin for nothing.
    sessionOptions: () => ({ spins: false, ...(threads === undefined ? {} : { threads }) }),
    canRecord: false,
  };
}
