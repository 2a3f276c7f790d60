/** WebGPU on this machine: bundled with onnxruntime-node, it works wherever an adapter answers. */
import '../onnx/no-telemetry.js';
import { InferenceSession } from 'onnxruntime-node';
import type { ProviderAnswer } from './provider.js';
import { identityModel } from './ort/identity-model.js';
import { HostMemory } from './memory/host-memory.js';
import { OrtSession, RunOptions, type BoundTensor } from './ort/ort-session.js';

export async function webgpuAnswer(): Promise<ProviderAnswer> {
  try {
    const session = await InferenceSession.create(identityModel(), {
      executionProviders: ['webgpu'],
      logSeverityLevel: 4,
    });
    await session.release();
    return { works: true, devices: [{ name: 'WebGPU adapter', memoryBytes: null, freeBytes: null }] };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    // ONNX Runtime puts the place in its source before what went wrong.
    return { works: false, reason: reason.split(' was false. ').at(-1)?.trim() ?? reason };
  }
}

/**
 * Graphs and bindings are this project's own: checking each call again costs time with every node. Without 64-bit integers
 * the argmax of the logits would be converted on the CPU.
 */
export function webgpuSettings(): Record<string, string> {
  return { validationMode: 'disabled', enableInt64: '1' };
}

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
