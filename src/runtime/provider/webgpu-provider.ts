/** WebGPU on this machine: bundled with onnxruntime-node, it works wherever an adapter answers. */
import { InferenceSession } from 'onnxruntime-node';
import type { ProviderAnswer } from './provider.js';
import { identityModel } from './identity-model.js';

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
