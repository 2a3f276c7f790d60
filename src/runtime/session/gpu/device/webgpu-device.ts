import { webgpuStyle } from '../../../graph/gpu/gpu-style.js';
import { WebGpuMemory } from '../../../device/memory/webgpu-memory.js';
import { webgpuAttendsToMany, webgpuReplaysSteps } from '../../../device/webgpu-attention.js';
import { letGoOfAdapter, RECORDING, webgpuComputesHalf, webgpuSettings } from '../../../device/webgpu-provider.js';
import type { EngineDevice } from './engine-device.js';

/** Of an adapter: whether fused attention is right, and whether a recorded step is. One process has one adapter. */
let attends: { readonly isRight: boolean; readonly replays: boolean } | undefined;

/** The WebGPU adapter of this machine: float16 matrices where its shaders know float16, else float32. */
export function webgpuDevice(): EngineDevice {
  const settings = webgpuSettings();
  const memory = new WebGpuMemory(settings);
  letGoOfAdapter();
  attends ??= triedAttention(memory, settings);
  return {
    memory,
    style: webgpuStyle(webgpuComputesHalf() ? 'F16' : 'F32', !attends.isRight),
    // Whether a graph can be recorded shows when its session opens, which is no error to print.
    sessionOptions: ({ isRecorded }) =>
      isRecorded ? { webgpu: { ...settings, ...RECORDING }, silent: true } : { webgpu: settings },
    isHost: false,
    keepsShapes: true,
    canRecord: attends.replays,
    recordsTokensOnly: true,
  };
}

/** Single operators are replayed right wherever that was tried. */
function triedAttention(memory: WebGpuMemory, settings: Readonly<Record<string, string>>) {
  const isRight = webgpuAttendsToMany(memory, settings);
  return { isRight, replays: !isRight || webgpuReplaysSteps(memory, settings) };
}
