import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ortFolder, ortPackage } from './ort-api.js';

/** Of ONNX Runtime's package. */
const INSTALLER = 'script/install.js';

/** ONNX Runtime's CUDA provider, which its package for Node does not bring. */
export const CUDA_LIBRARY = 'libonnxruntime_providers_cuda.so';

/** What is missing, and what fetches it. */
export function missingCudaLibrary(): string {
  const missing = `${CUDA_LIBRARY} is not in ${ortFolder()}`;
  // The package's own script has libraries for this processor alone.
  return process.arch === 'x64' ? `${missing}: node ${join(ortPackage(), INSTALLER)} fetches it` : missing;
}

/** Whether it lies where ONNX Runtime looks for it. */
export const hasCudaLibrary = (): boolean =>
  process.platform === 'linux' && existsSync(join(ortFolder(), CUDA_LIBRARY));
