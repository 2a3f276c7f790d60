/** WebGPU on this machine: bundled with onnxruntime-node, it works wherever an adapter answers. */
import '../onnx/no-telemetry.js';
import { InferenceSession } from 'onnxruntime-node';
import type { ProviderAnswer, ProviderDevice } from './provider.js';
import { quietly } from './quietly.js';
import { vulkanAbsence, vulkanAdapters } from './vulkan-adapters.js';
import { identityModel } from './ort/identity-model.js';
import { HostMemory } from './memory/host-memory.js';
import { OrtSession, RunOptions, type BoundTensor } from './ort/ort-session.js';

/** Where nobody tells which one it is. */
const UNNAMED: ProviderDevice = { name: 'WebGPU adapter', memoryBytes: null, freeBytes: null };

/** Opening an adapter takes a third of a second, and its last session closes it: this one keeps it for what comes next. */
let kept: OrtSession | undefined;

export async function webgpuAnswer(): Promise<ProviderAnswer> {
  const absence = process.platform === 'linux' ? vulkanAbsence() : null;
  if (absence !== null) return { works: false, reason: absence };
  try {
    if (process.platform === 'linux') {
      kept ??= quietly(() => new OrtSession(identityModel(), { webgpu: webgpuSettings(), silent: true }));
    } else {
      const options = { executionProviders: ['webgpu'], logSeverityLevel: 4 as const };
      await (await InferenceSession.create(identityModel(), options)).release();
    }
    const [adapter = UNNAMED] = vulkanAdapters();
    return { works: true, devices: [adapter] };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    // ONNX Runtime puts the place in its source before what went wrong.
    return { works: false, reason: reason.split(' was false. ').at(-1)?.trim() ?? reason };
  }
}

/** Whoever holds the adapter by now closes it. */
export function letGoOfAdapter(): void {
  kept?.[Symbol.dispose]();
  kept = undefined;
}

/**
 * Graphs and bindings are this project's own: checking each call again costs time with every node. Without 64-bit integers
 * the argmax of the logits would be converted on the CPU. Buffers are as large as what is asked for: by default the provider
 * rounds them up, weights by a quarter.
 */
export function webgpuSettings(): Record<string, string> {
  return { validationMode: 'disabled', enableInt64: '1', storageBufferCacheMode: 'simple' };
}

/** Of sessions that record runs, beside those: all nodes have to be the provider's. */
export const RECORDING: Readonly<Record<string, string>> = { enableGraphCapture: '1' };

let computesHalf: boolean | undefined;

/** Whether the adapter's shaders know float16: only a run shows it. */
export function webgpuComputesHalf(): boolean {
  computesHalf ??= runsHalf();
  return computesHalf;
}

function runsHalf(): boolean {
  using memory = new HostMemory();
  using session = new OrtSession(identityModel('F16'), { webgpu: webgpuSettings(), silent: true });
  const tensor = (): BoundTensor => ({ place: 'Cpu', address: memory.allocate(2), dtype: 'F16', dims: [1] });
  using binding = session.bind(new Map([['x', tensor()]]), new Map([['y', tensor()]]));
  using options = new RunOptions();
  try {
    binding.run(options);
    return true;
  } catch {
    return false;
  }
}
