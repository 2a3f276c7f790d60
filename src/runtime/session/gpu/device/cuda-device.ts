import { Blip2Error } from '../../../../errors.js';
import type { CacheForm } from '../../../../model/quantized-caches.js';
import { cudaStyle } from '../../../graph/gpu/gpu-style.js';
import { cudaSettings, openCudaMemory, ownKernels } from '../../../device/cuda-provider.js';
import { SharedArena } from '../../../device/ort/shared-arena.js';
import type { EngineDevice } from './engine-device.js';

/** @throws Blip2Error `GPU_MISSING`, `PLAN_MISMATCH` where caches are to be integers and the card runs no kernels of our own */
export function cudaDevice(gpu: number, caches: CacheForm = 'float'): EngineDevice {
  return { ...opened(gpu, caches, false), beside: () => opened(gpu, caches, true) };
}

function opened(gpu: number, caches: CacheForm, isBeside: boolean): EngineDevice {
  const memory = openCudaMemory(gpu, isBeside);
  if (memory === null) {
    throw new Blip2Error('GPU_MISSING', `the CUDA driver cannot be loaded for GPU ${gpu}`, {
      hint: 'nvidia-smi shows whether it is there; blip2-plan devices lists what this machine has.',
      details: { gpu },
    });
  }
  const own = ownKernels(gpu);
  if (caches === 'int8' && own === null) {
    throw new Blip2Error(
      'PLAN_MISMATCH',
      `the plan keeps caches as int8, which takes kernels that GPU ${gpu} does not run`,
      {
        hint: 'They are for cards of compute capability 8.0 and later, with a driver from 520 on. Plan again on this machine.',
        details: { gpu },
      },
    );
  }
  return {
    memory,
    style: cudaStyle(own !== null, caches === 'int8'),
    sessionOptions: ({ isRecorded, roundsFactors, sharesArena }) => ({
      ...(own === null ? {} : { ops: own.ops }),
      cuda: cudaSettings(gpu, { stream: memory.stream, isRecorded }, roundsFactors),
      sharesArena,
    }),
    shareArena: () => SharedArena.take(memory.place),
    ...(own === null ? {} : { shortlists: own.shortlists(memory.stream) }),
    isHost: false,
    card: gpu,
    canRecord: true,
  };
}
