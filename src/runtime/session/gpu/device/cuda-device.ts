import { Blip2Error } from '../../../../errors.js';
import { cudaStyle } from '../../../graph/gpu/gpu-style.js';
import { cudaOps, cudaSettings, openCudaMemory } from '../../../device/cuda-provider.js';
import { SharedArena } from '../../../device/ort/shared-arena.js';
import type { EngineDevice } from './engine-device.js';

/** @throws Blip2Error `GPU_MISSING` */
export function cudaDevice(gpu: number): EngineDevice {
  return { ...opened(gpu, false), beside: () => opened(gpu, true) };
}

function opened(gpu: number, isBeside: boolean): EngineDevice {
  const memory = openCudaMemory(gpu, isBeside);
  if (memory === null) {
    throw new Blip2Error('GPU_MISSING', `the CUDA driver cannot be loaded for GPU ${gpu}`, {
      hint: 'nvidia-smi shows whether it is there; blip2-plan devices lists what this machine has.',
      details: { gpu },
    });
  }
  const ops = cudaOps(gpu);
  return {
    memory,
    style: cudaStyle(ops !== null),
    sessionOptions: ({ isRecorded, roundsFactors, sharesArena }) => ({
      ...(ops === null ? {} : { ops }),
      cuda: cudaSettings(gpu, { stream: memory.stream, isRecorded }, roundsFactors),
      sharesArena,
    }),
    shareArena: () => SharedArena.take(memory.place),
    isHost: false,
    card: gpu,
    canRecord: true,
  };
}
