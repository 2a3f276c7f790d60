import type { AttentionForm } from '../../../graph/stage-builder.js';
import { webgpuStyle } from '../../../graph/gpu/gpu-style.js';
import { WebGpuMemory } from '../../../device/memory/webgpu-memory.js';
import { vulkanAdapters } from '../../../device/vulkan-adapters.js';
import { webgpuAttendsToMany } from '../../../device/webgpu-attention.js';
import { letGoOfAdapter, RECORDING, webgpuComputesHalf, webgpuSettings } from '../../../device/webgpu-provider.js';
import type { EngineDevice } from './engine-device.js';

/** The WebGPU adapter of this machine: float16 matrices where its shaders know float16, else float32. */
export function webgpuDevice(): EngineDevice {
  const settings = webgpuSettings();
  const memory = new WebGpuMemory(settings);
  letGoOfAdapter();
  return {
    memory,
    style: webgpuStyle(webgpuComputesHalf() ? 'F16' : 'F32', attentionForm()),
    // Whether a graph can be recorded shows when its session opens, which is no error to print.
    sessionOptions: ({ isRecorded }) =>
      isRecorded ? { webgpu: { ...settings, ...RECORDING }, silent: true } : { webgpu: settings },
    isHost: false,
    keepsShapes: true,
    canRecord: true,
    recordsTokensOnly: true,
  };
}

/**
 * Fused attention of recorded steps was seen to be right on NVIDIA's cards, where a step is 4 % faster than with a bias. A trial on others would not do: on an
 * adapter in software it hung. Which of several adapters the provider takes is not told.
 */
function attentionForm(): AttentionForm {
  if (!webgpuAttendsToMany()) return 'plain';
  const adapters = vulkanAdapters();
  return adapters.length > 0 && adapters.every(({ name }) => name.includes('NVIDIA')) ? 'fused' : 'biased';
}
