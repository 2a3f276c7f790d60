/** CUDA's driver starts, which planning asks for its cards, while the command is read. A file of its own, for commands that may use a card. */
import { CudaDriver } from '../../src/runtime/device/memory/cuda-driver.js';
import { hasCudaLibrary } from '../../src/runtime/device/ort/cuda-library.js';

if (hasCudaLibrary()) CudaDriver.startAside();
