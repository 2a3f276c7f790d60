/**
 * ONNX Runtime's C API, called in place: the library that onnxruntime-node brings exports it. Its Node binding keeps no
 * values on a CUDA device and copies every input; here inputs and outputs are addresses that the caller owns.
 */
import '../../onnx/no-telemetry.js';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import koffi, { type LibraryHandle } from 'koffi';
import { Blip2Error } from '../../../errors.js';

/** An opaque object of ONNX Runtime, or any address. */
export type Pointer = bigint;

/** The version of the table below. The table only ever grows at its end, so every later library has these entries. */
const ORT_API_VERSION = 24;

/** Position in `OrtApi` (onnxruntime_c_api.h) and parameters of each function used. All but the releases return a status. */
const FUNCTIONS = {
  CreateEnv: [3, 'int, str, _Out_ void**'],
  CreateSessionFromArray: [8, 'void*, void*, size_t, void*, _Out_ void**'],
  CreateSessionOptions: [10, '_Out_ void**'],
  DisableMemPattern: [17, 'void*'],
  SetSessionLogSeverityLevel: [22, 'void*, int'],
  EnableProfiling: [14, 'void*, str'],
  SetSessionGraphOptimizationLevel: [23, 'void*, int'],
  SetIntraOpNumThreads: [24, 'void*, int'],
  CreateCustomOpDomain: [26, 'str, _Out_ void**'],
  CustomOpDomain_Add: [27, 'void*, void*'],
  AddCustomOpDomain: [28, 'void*, void*'],
  CreateRunOptions: [39, '_Out_ void**'],
  CreateTensorWithDataAsOrtValue: [49, 'void*, void*, size_t, int64_t*, size_t, int, _Out_ void**'],
  GetTensorMutableData: [51, 'void*, _Out_ void**'],
  GetDimensionsCount: [61, 'void*, _Out_ size_t*'],
  GetDimensions: [62, 'void*, _Out_ int64_t*, size_t'],
  GetTensorTypeAndShape: [65, 'void*, _Out_ void**'],
  AllocatorAlloc: [75, 'void*, size_t, _Out_ void**'],
  AllocatorFree: [76, 'void*, void*'],
  CreateMemoryInfo: [68, 'str, int, int, int, _Out_ void**'],
  KernelInfoGetAttribute_float: [85, 'void*, str, _Out_ float*'],
  KernelInfoGetAttribute_int64: [86, 'void*, str, _Out_ int64_t*'],
  KernelContext_GetInput: [90, 'void*, size_t, _Out_ void**'],
  KernelContext_GetOutput: [91, 'void*, size_t, int64_t*, size_t, _Out_ void**'],
  AddSessionConfigEntry: [130, 'void*, str, str'],
  CreateAllocator: [131, 'void*, void*, _Out_ void**'],
  RunWithBinding: [133, 'void*, void*, void*'],
  CreateIoBinding: [134, 'void*, _Out_ void**'],
  BindInput: [136, 'void*, str, void*'],
  BindOutput: [137, 'void*, str, void*'],
  CreateArenaCfgV2: [164, 'str*, uint64_t*, size_t, _Out_ void**'],
  AddRunConfigEntry: [165, 'void*, str, str'],
  UnregisterAllocator: [177, 'void*, void*'],
  KernelContext_GetGPUComputeStream: [193, 'void*, _Out_ void**'],
  SessionOptionsAppendExecutionProvider_CUDA_V2: [204, 'void*, void*'],
  CreateCUDAProviderOptions: [205, '_Out_ void**'],
  UpdateCUDAProviderOptions: [206, 'void*, str*, str*, size_t'],
  SessionOptionsAppendExecutionProvider: [216, 'void*, str, str*, str*, size_t'],
  KernelContext_GetAllocator: [253, 'void*, void*, _Out_ void**'],
  CreateAndRegisterAllocatorV2: [259, 'void*, str, void*, void*, str*, str*, size_t'],
  CopyTensors: [386, 'void*, void**, void**, void*, size_t'],
} as const;

const RELEASES = {
  Status: 93,
  MemoryInfo: 94,
  Session: 95,
  Value: 96,
  TensorTypeAndShapeInfo: 99,
  RunOptions: 97,
  SessionOptions: 100,
  Allocator: 132,
  IoBinding: 135,
  ArenaCfg: 157,
  CUDAProviderOptions: 208,
} as const;

/** The two functions of a status return no status. */
const CREATE_STATUS = 0;
const GET_ERROR_MESSAGE = 2;
const TABLE_LENGTH = 387;

type FunctionName = keyof typeof FUNCTIONS;
type Argument =
  | Pointer
  | number
  | string
  | Uint8Array
  | BigInt64Array
  | BigUint64Array
  | readonly string[]
  | (Pointer | number | null)[]
  | null;
type NativeFunction = (...args: Argument[]) => Pointer | null;

export class OrtApi {
  /** Kept for ever: a handle that is collected closes the library under its callers. */
  readonly library: LibraryHandle;
  readonly #table: readonly Pointer[];
  readonly #functions = new Map<FunctionName, NativeFunction>();
  readonly #errorMessage: (status: Pointer) => string;
  #createStatus: ((code: number, message: string) => Pointer) | undefined;
  readonly #release: (index: number, pointer: Pointer) => void;

  /** @throws Blip2Error `ORT_UNSUPPORTED` where the library is absent or too old. */
  constructor(path: string) {
    this.library = koffi.load(path);
    const base = this.library.func('void* OrtGetApiBase()')() as Pointer;
    const [getApi = 0n] = koffi.decode(base, koffi.array('void*', 2)) as Pointer[];
    const api = koffi.call(getApi, koffi.proto('void* (uint32_t)'), ORT_API_VERSION) as Pointer | null;
    if (api === null) {
      throw new Blip2Error('ORT_UNSUPPORTED', `${path} has no C API of version ${ORT_API_VERSION}`, {
        hint: 'Install onnxruntime-node 1.24 or later.',
      });
    }
    this.#table = koffi.decode(api, koffi.array('void*', TABLE_LENGTH)) as Pointer[];
    this.#errorMessage = koffi.decode(this.#entry(GET_ERROR_MESSAGE), koffi.proto('str (void*)')) as (
      status: Pointer,
    ) => string;
    const release = koffi.proto('void (void*)');
    this.#release = (index, pointer) => void koffi.call(this.#entry(index), release, pointer);
  }

  /** @throws Blip2Error `ORT_FAILED` with ONNX Runtime's own words */
  call(name: FunctionName, ...args: Argument[]): void {
    let native = this.#functions.get(name);
    if (native === undefined) {
      const [index, parameters] = FUNCTIONS[name];
      native = koffi.decode(this.#entry(index), koffi.proto(`void* (${parameters})`)) as NativeFunction;
      this.#functions.set(name, native);
    }
    const status = native(...args);
    if (status === null || status === 0n) return;
    const message = this.#errorMessage(status);
    this.#release(RELEASES.Status, status);
    throw new Blip2Error('ORT_FAILED', `ONNX Runtime: ${message}`, { details: { function: name } });
  }

  /** For functions whose last parameter receives a new object. */
  create(name: FunctionName, ...args: Argument[]): Pointer {
    const slot: [Pointer | null] = [null];
    this.call(name, ...args, slot);
    const [pointer] = slot;
    if (pointer === null) throw new Blip2Error('ORT_FAILED', `ONNX Runtime: ${name} made nothing`);
    return pointer;
  }

  /** A status as an operator of ours answers with one where it fails: `ORT_FAIL`. */
  failure(message: string): Pointer {
    this.#createStatus ??= koffi.decode(this.#entry(CREATE_STATUS), koffi.proto('void* (int, str)')) as (
      code: number,
      message: string,
    ) => Pointer;
    return this.#createStatus(1, message);
  }

  release(kind: keyof typeof RELEASES, pointer: Pointer): void {
    this.#release(RELEASES[kind], pointer);
  }

  #entry(index: number): Pointer {
    const entry = this.#table[index];
    if (entry === undefined) throw new RangeError(`OrtApi has no entry ${index}`);
    return entry;
  }
}

const LIBRARY_NAMES: Partial<Record<NodeJS.Platform, string>> = {
  linux: 'libonnxruntime.so.1',
  win32: 'onnxruntime.dll',
};

/** The folder of onnxruntime-node. */
export function ortPackage(): string {
  return join(dirname(createRequire(import.meta.url).resolve('onnxruntime-node')), '..');
}

/** The folder of its native libraries on this system. */
export function ortFolder(): string {
  return join(ortPackage(), 'bin', 'napi-v6', process.platform, process.arch);
}

let loaded: OrtApi | undefined;

/** @throws Blip2Error `ORT_UNSUPPORTED` on systems whose library was never tried this way. */
export function ortApi(): OrtApi {
  if (loaded !== undefined) return loaded;
  const path = join(ortFolder(), LIBRARY_NAMES[process.platform] ?? '');
  if (LIBRARY_NAMES[process.platform] === undefined || !existsSync(path)) {
    throw new Blip2Error('ORT_UNSUPPORTED', `onnxruntime-node's C API is not reached on ${process.platform}`);
  }
  loaded = new OrtApi(path);
  return loaded;
}
