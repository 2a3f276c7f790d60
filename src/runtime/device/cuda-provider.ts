/** CUDA on this machine: the driver, the provider's library, and how sessions use them. */
import { CUBLAS_WORKSPACE_CONFIG, ORT_ENABLE_CUDNN_FLASH_ATTENTION } from './cuda-environment.js';
import { CudaKernels } from './kernels/cuda-kernels.js';
import { kernelOps } from './kernels/kernel-ops.js';
import { cudaShortlists, type Shortlists } from './kernels/shortlists.js';
import { CudaDriver } from './memory/cuda-driver.js';
import { CudaMemory } from './memory/cuda-memory.js';
import { cardMemory } from './memory/nvidia-management.js';
import { hasCudaLibrary, missingCudaLibrary } from './ort/cuda-library.js';
import { CustomOps } from './ort/custom-ops.js';
import { OrtSession, readProvider } from './ort/ort-session.js';
import type { ProviderAnswer, ProviderCount, ProviderDevice } from './provider.js';
import { identityModel } from './ort/identity-model.js';
import { DriverThread } from './memory/driver-thread.js';

/**
 * Tries a session: only that shows whether the library finds the CUDA and cuDNN libraries that it was built for.
 * @param device where it is tried, because a session takes memory of its device
 */
export function cudaAnswer(device = 0): ProviderAnswer {
  const driver = driverHere();
  if (typeof driver === 'string') return { works: false, reason: driver };
  // Before the session, whose context takes memory.
  const devices = cudaDevices(driver);
  return tried(driver, device) ?? { works: true, devices };
}

/** The same of whoever needs no names, and not what each card has free, which another library of the driver is started for. */
export function cudaCount(device = 0): ProviderCount {
  const driver = driverHere();
  if (typeof driver === 'string') return { works: false, reason: driver };
  return tried(driver, device) ?? { works: true, count: driver.deviceCount() };
}

/** @returns why there is none */
function driverHere(): CudaDriver | string {
  if (process.platform !== 'linux') return 'CUDA is used on Linux only';
  const driver = CudaDriver.load();
  if (driver === null) return 'no CUDA driver, or no card that it drives';
  return hasCudaLibrary() ? driver : missingCudaLibrary();
}

function tried(driver: CudaDriver, device: number): { readonly works: false; readonly reason: string } | null {
  try {
    const cuda = cudaSettings(Math.min(device, driver.deviceCount() - 1));
    new OrtSession(identityModel(), { cuda })[Symbol.dispose]();
    return null;
  } catch (error) {
    return { works: false, reason: error instanceof Error ? error.message : String(error) };
  }
}

/**
 * Reads the provider's library and those that it needs, a tenth of a second, before there is something to run. It takes no memory of a
 * card.
 * @returns whether it is read; why not is told by who tries a session
 */
export function readCudaProvider(): boolean {
  if (typeof driverHere() === 'string') return false;
  try {
    readProvider(cudaSettings(0));
    return true;
  } catch {
    return false;
  }
}

/** Whether the provider's library and a card's driver are there; nothing is tried. */
export function hasCuda(): boolean {
  return hasCudaLibrary() && CudaDriver.load() !== null;
}

/** The cards that the driver names. Asking takes no memory on them. */
function cudaDevices(driver: CudaDriver): ProviderDevice[] {
  return Array.from({ length: driver.deviceCount() }, (_, device) => ({
    name: driver.describe('cuDeviceGetName', device),
    memoryBytes: Number(driver.create('cuDeviceTotalMem_v2', device)),
    freeBytes: cardMemory(driver.describe('cuDeviceGetPCIBusId', device))?.freeBytes ?? null,
  }));
}

/** The cards as the driver names them and finds them, in the order of their numbers. Asking takes no memory on them. */
export function cudaCards(): { name: string; busId: string }[] {
  const driver = CudaDriver.load();
  if (driver === null) return [];
  return Array.from({ length: driver.deviceCount() }, (_, device) => ({
    name: driver.describe('cuDeviceGetName', device),
    busId: driver.describe('cuDeviceGetPCIBusId', device),
  }));
}

/** Free memory of a CUDA device, seen from outside; null where there is no such device, or nobody tells. */
export function freeCudaBytes(device: number): number | null {
  const driver = CudaDriver.load();
  if (driver === null || device >= driver.deviceCount()) return null;
  return cardMemory(driver.describe('cuDeviceGetPCIBusId', device))?.freeBytes ?? null;
}

/**
 * Takes the card's context, which is the process's own.
 * @returns how to give it back
 * @throws Blip2Error `CUDA_FAILED`
 */
export function takeCudaContext(device: number): () => void {
  const driver = CudaDriver.load();
  driver?.create('cuDevicePrimaryCtxRetain', device);
  return () => driver?.call('cuDevicePrimaryCtxRelease_v2', device);
}

/** @returns null where there is no driver */
export function openCudaMemory(device: number, isBeside = false): CudaMemory | null {
  const driver = CudaDriver.load();
  if (driver === null) return null;
  const thread = DriverThread.of(device);
  return new CudaMemory(driver, device, isBeside, thread && ((range) => thread.lockPages(range)));
}

/** What kernels of our own do on a card. */
export interface OwnKernels {
  /** Operators for sessions. */
  readonly ops: CustomOps;
  /** @param stream of the runs that make the logits */
  readonly shortlists: (stream: bigint) => Shortlists;
}

const known = new Map<number, OwnKernels | null>();

/** null where a card is older than the kernels. */
export function ownKernels(device: number): OwnKernels | null {
  const before = known.get(device);
  if (before !== undefined) return before;
  const driver = CudaDriver.load();
  const kernels = driver === null ? null : CudaKernels.open(driver, device);
  const made = kernels && {
    ops: new CustomOps(kernelOps(kernels)),
    shortlists: (stream: bigint) => cudaShortlists(kernels, stream),
  };
  known.set(device, made);
  return made;
}

export interface RunOrder {
  readonly stream: bigint;
  readonly isRecorded: boolean;
}

/**
 * An arena that never takes more than a run needs.
 * @param order a stream to run in, and whether runs are recorded
 * @param roundsFactors whether float32 products may round their factors to 11 bits, as TF32 does
 */
export function cudaSettings(device: number, order?: RunOrder, roundsFactors = false): Record<string, string> {
  process.env['CUBLAS_WORKSPACE_CONFIG'] ??= CUBLAS_WORKSPACE_CONFIG;
  process.env['ORT_ENABLE_CUDNN_FLASH_ATTENTION'] ??= ORT_ENABLE_CUDNN_FLASH_ATTENTION;
  return {
    device_id: String(device),
    arena_extend_strategy: 'kSameAsRequested',
    use_tf32: roundsFactors ? '1' : '0',
    ...ordering(order),
  };
}

function ordering(order: RunOrder | undefined): Record<string, string> {
  if (order === undefined) return {};
  // The address alone is dropped without a word, and runs go to the default stream, which waits for nobody.
  const inStream = { has_user_compute_stream: '1', user_compute_stream: String(order.stream) };
  return order.isRecorded ? { ...inStream, enable_cuda_graph: '1' } : inStream;
}
