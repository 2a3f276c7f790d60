/** The first that the command imports: CUDA's driver starts, which planning asks for its cards, while the rest of the command is read. */
import { CudaDriver } from '../../src/runtime/device/memory/cuda-driver.js';
import { hasCudaLibrary } from '../../src/runtime/device/ort/cuda-library.js';
import { startOf } from './fork-early.js';

const start = startOf(process.argv.slice(2));
if (start?.card !== undefined && hasCudaLibrary()) CudaDriver.startAside();
