import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ortFolder } from './ort-api.js';

/** ONNX Runtime's CUDA provider, which its package for Node does not bring. */
export const CUDA_LIBRARY = 'libonnxruntime_providers_cuda.so';

/** Whether it lies where ONNX Runtime looks for it. */
export const hasCudaLibrary = (): boolean =>
  process.platform === 'linux' && existsSync(join(ortFolder(), CUDA_LIBRARY));
