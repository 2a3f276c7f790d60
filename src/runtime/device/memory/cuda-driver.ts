/** The CUDA driver's own API, as far as memory, copies and their order need it. */
import koffi, { type LibraryHandle } from 'koffi';
import { Blip2Error } from '../../../errors.js';

const LIBRARY: Partial<Record<NodeJS.Platform, string>> = { linux: 'libcuda.so.1', win32: 'nvcuda.dll' };

const FUNCTIONS = {
  cuInit: 'uint32_t',
  cuDeviceGetCount: '_Out_ int*',
  cuDeviceGetName: 'void*, int, int',
  cuDeviceGetPCIBusId: 'void*, int, int',
  cuDeviceTotalMem_v2: '_Out_ size_t*, int',
  cuDeviceGetAttribute: '_Out_ int*, int, int',
  cuDevicePrimaryCtxRetain: '_Out_ void**, int',
  cuDevicePrimaryCtxRelease_v2: 'int',
  cuCtxSetCurrent: 'void*',
  cuCtxSynchronize: '',
  cuMemGetInfo_v2: '_Out_ size_t*, _Out_ size_t*',
  cuMemAlloc_v2: '_Out_ uint64_t*, size_t',
  cuMemFree_v2: 'uint64_t',
  cuMemHostAlloc: '_Out_ void**, size_t, uint32_t',
  cuMemFreeHost: 'void*',
  cuMemHostRegister_v2: 'void*, size_t, uint32_t',
  cuMemHostUnregister: 'void*',
  cuMemcpyHtoDAsync_v2: 'uint64_t, void*, size_t, void*',
  cuMemcpyDtoHAsync_v2: 'void*, uint64_t, size_t, void*',
  cuMemcpyDtoDAsync_v2: 'uint64_t, uint64_t, size_t, void*',
  cuMemcpy2DAsync_v2: 'void*, void*',
  cuMemcpyPeerAsync: 'uint64_t, void*, uint64_t, void*, size_t, void*',
  cuMemsetD8Async: 'uint64_t, uint8_t, size_t, void*',
  cuStreamCreateWithPriority: '_Out_ void**, uint32_t, int',
  cuStreamDestroy_v2: 'void*',
  cuStreamSynchronize: 'void*',
  cuStreamWaitEvent: 'void*, void*, uint32_t',
  cuEventCreate: '_Out_ void**, uint32_t',
  cuEventDestroy_v2: 'void*',
  cuEventRecord: 'void*, void*',
  cuEventSynchronize: 'void*',
  cuEventElapsedTime: '_Out_ float*, void*, void*',
  cuStreamIsCapturing: 'void*, _Out_ int*',
  cuThreadExchangeStreamCaptureMode: '_Inout_ int*',
  cuModuleLoadData: '_Out_ void**, void*',
  cuModuleGetFunction: '_Out_ void**, void*, str',
  cuFuncSetAttribute: 'void*, int, int',
  cuLaunchKernel: 'void*, uint32_t, uint32_t, uint32_t, uint32_t, uint32_t, uint32_t, uint32_t, void*, void*, void*',
} as const;

type FunctionName = keyof typeof FUNCTIONS;
type Argument = bigint | number | string | Uint8Array | (bigint | number | null)[] | null;
type NativeFunction = (...args: Argument[]) => number;

/** `CU_MEMHOSTREGISTER_READ_ONLY` (without it the driver refuses mappings that may not be written) and `_PORTABLE` (for all devices). */
const READ_ONLY_EVERYWHERE = 8 | 1;
/** `CUDA_ERROR_OUT_OF_MEMORY` */
const OUT_OF_MEMORY = 2;

const TEXT_BYTES = 256;

let loaded: CudaDriver | null | undefined;
let isStarting = false;

export class CudaDriver {
  /** Kept for ever: a handle that is collected closes the library under its callers. */
  readonly library: LibraryHandle;
  readonly #functions = new Map<FunctionName, NativeFunction>();

  /** @param library with the driver's functions: see `load` */
  constructor(library: LibraryHandle) {
    this.library = library;
  }

  /** null where there is no driver, or no device that it drives. One for the process, never closed. */
  static load(): CudaDriver | null {
    loaded ??= CudaDriver.#open();
    return loaded;
  }

  /** Has the driver start in a thread of the pool, which takes a tenth of a second or two: whoever loads it later waits for the rest of that. */
  static startAside(): void {
    const name = LIBRARY[process.platform];
    if (name === undefined || loaded !== undefined || isStarting) return;
    isStarting = true;
    try {
      const library = koffi.load(name);
      // The library stays until it has answered.
      library.func('int cuInit(uint32_t)').async(0, () => void library);
    } catch {
      // Whoever loads it finds that it is not there.
    }
  }

  static #open(): CudaDriver | null {
    const name = LIBRARY[process.platform];
    if (name === undefined) return null;
    try {
      const driver = new CudaDriver(koffi.load(name));
      return driver.try('cuInit', 0) === 0 && driver.deviceCount() > 0 ? driver : null;
    } catch {
      return null;
    }
  }

  deviceCount(): number {
    const count = [0];
    this.call('cuDeviceGetCount', count);
    return count[0] ?? 0;
  }

  /** What the driver writes about a device as text. */
  describe(name: 'cuDeviceGetName' | 'cuDeviceGetPCIBusId', device: number): string {
    const text = new Uint8Array(TEXT_BYTES);
    this.call(name, text, text.length, device);
    return new TextDecoder().decode(text.subarray(0, text.indexOf(0)));
  }

  /** The driver's error code, 0 for none. */
  try(name: FunctionName, ...args: Argument[]): number {
    let native = this.#functions.get(name);
    if (native === undefined) {
      native = this.library.func(`int ${name}(${FUNCTIONS[name]})`) as NativeFunction;
      this.#functions.set(name, native);
    }
    return native(...args);
  }

  /** @throws Blip2Error `CUDA_FAILED` */
  call(name: FunctionName, ...args: Argument[]): void {
    const code = this.try(name, ...args);
    if (code !== 0) throw failure(name, code);
  }

  /**
   * Locks the pages of memory that is mapped, for copies to all devices, in the calling thread's context.
   * @returns whether it did
   */
  lockPages({ address, bytes }: { readonly address: bigint; readonly bytes: number }): boolean {
    return this.try('cuMemHostRegister_v2', address, bytes, READ_ONLY_EVERYWHERE) === 0;
  }

  /** For functions whose first parameter receives a new object. */
  create(name: FunctionName, ...args: Argument[]): bigint {
    const slot: (bigint | number | null)[] = [null];
    this.call(name, slot, ...args);
    return BigInt(slot[0] ?? 0);
  }

  /** The address of new memory; null where there is not so much left. */
  allocate(name: 'cuMemAlloc_v2' | 'cuMemHostAlloc', bytes: number, ...flags: number[]): bigint | null {
    const slot: (bigint | number | null)[] = [null];
    const code = this.try(name, slot, bytes, ...flags);
    if (code === OUT_OF_MEMORY) return null;
    if (code !== 0) throw failure(name, code);
    return BigInt(slot[0] ?? 0);
  }
}

function failure(name: FunctionName, code: number): Blip2Error {
  return new Blip2Error('CUDA_FAILED', `the CUDA driver answered ${code} to ${name}`, {
    hint: 'nvidia-smi shows whether the card still works.',
    details: { function: name, code },
  });
}
