import { webgpuStyle } from '../../../graph/gpu/gpu-style.js';
import { WebGpuMemory } from '../../../device/memory/webgpu-memory.js';
import { FEW_QUERIES, webgpuAttendsToMany } from '../../../device/webgpu-attention.js';
import { letGoOfAdapter, webgpuComputesHalf, webgpuSettings } from '../../../device/webgpu-provider.js';
import type { EngineDevice } from './engine-device.js';

/**
 * The WebGPU adapter of this machine: float16 matrices where its shaders know float16, else float32. Runs are not
 * recorded: a recorded run of these graphs, played again with other inputs, answered wrongly.
 */
export function webgpuDevice(): EngineDevice {
  const settings = webgpuSettings();
  const memory = new WebGpuMemory(settings);
  letGoOfAdapter();
  const attendsToMany = webgpuAttendsToMany();
  return {
    memory,
    style: webgpuStyle(webgpuComputesHalf() ? 'F16' : 'F32', !attendsToMany),
    ...(attendsToMany ? {} : { queryLimit: FEW_QUERIES }),
    sessionOptions: () => ({ webgpu: settings }),
    isHost: false,
    keepsShapes: true,
    canRecord: false,
  };
}
