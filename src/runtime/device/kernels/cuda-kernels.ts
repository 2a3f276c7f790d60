/** Kernels of our own on one CUDA card: compiled once a process, launched into the stream of whoever asks. */
import { gunzipSync } from 'node:zlib';
import koffi from 'koffi';
import { at } from '../../../checked-access.js';
import { CudaBlas } from './cuda-blas.js';
import type { CudaDriver } from '../memory/cuda-driver.js';
import activation from './activation-kernels.ptx.js';
import attention from './attention-kernels.ptx.js';
import norm from './norm-kernels.ptx.js';
import product from './product-kernels.ptx.js';
import shortlist from './shortlist-kernels.ptx.js';

const SOURCES = { activation, attention, norm, product, shortlist } as const;

export type KernelSource = keyof typeof SOURCES;

export interface Launch {
  readonly grid: readonly [number, number, number];
  readonly threads: number;
  /** Of memory that a block's threads share, whose size the kernel leaves to its launch. Default 0. */
  readonly sharedBytes?: number;
  readonly stream: bigint;
  /** In the order of the kernel's parameters: addresses are bigints, whole numbers are ints. */
  readonly args: readonly KernelArgument[];
}

export type KernelArgument = bigint | number | { readonly float: number };

/** `CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT`, `_COMPUTE_CAPABILITY_MAJOR` */
const MULTIPROCESSORS = 16;
const CAPABILITY = 75;
/** `CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES`: 48 KiB where nobody asks for more, 99 KiB on all cards of 8.0 and later. */
const SHARED_BYTES = 8;
/** The products of 16 x 8 x 16 halves that kernels are made of. */
const LEAST_CAPABILITY = 8;

const MOST_ARGUMENTS = 16;
const SLOT_BYTES = 8;

export class CudaKernels {
  readonly place: `Cuda:${number}`;
  readonly multiprocessors: number;
  readonly #driver: CudaDriver;
  readonly #context: bigint;
  readonly #modules = new Map<KernelSource, bigint>();
  readonly #functions = new Map<string, bigint>();
  /** What functions may have of the memory that a block's threads share, where it was asked for. */
  readonly #shared = new Map<bigint, number>();
  /** Of the launch under way: the driver copies them before it returns. */
  readonly #values: DataView;
  readonly #addresses: bigint;
  #blas: CudaBlas | undefined;

  private constructor(driver: CudaDriver, device: number) {
    this.place = `Cuda:${device}`;
    this.#driver = driver;
    this.#context = driver.create('cuDevicePrimaryCtxRetain', device);
    this.multiprocessors = Number(driver.create('cuDeviceGetAttribute', MULTIPROCESSORS, device));
    const bytes = MOST_ARGUMENTS * SLOT_BYTES;
    const values = koffi.alloc('uint64_t', MOST_ARGUMENTS) as bigint;
    this.#addresses = koffi.alloc('uint64_t', MOST_ARGUMENTS) as bigint;
    this.#values = new DataView(koffi.view(values, bytes));
    const addresses = new BigUint64Array(koffi.view(this.#addresses, bytes));
    for (let slot = 0; slot < MOST_ARGUMENTS; slot++) addresses[slot] = values + BigInt(slot * SLOT_BYTES);
  }

  /** @returns null where the card is older than the kernels, or its driver does not compile them */
  static open(driver: CudaDriver, device: number): CudaKernels | null {
    const capability = Number(driver.create('cuDeviceGetAttribute', CAPABILITY, device));
    if (capability < LEAST_CAPABILITY) return null;
    const kernels = new CudaKernels(driver, device);
    try {
      kernels.prepare('attention');
    } catch {
      // Containers may lack the driver's compiler, and drivers before 520 do not know this PTX: ONNX Runtime's operators remain.
      return null;
    }
    return kernels;
  }

  /** @throws Blip2Error `CUDA_FAILED` */
  launch(source: KernelSource, kernel: string, { grid, threads, sharedBytes = 0, stream, args }: Launch): void {
    args.forEach((argument, slot) => {
      const place = slot * SLOT_BYTES;
      if (typeof argument === 'bigint') this.#values.setBigUint64(place, argument, true);
      else if (typeof argument === 'number') this.#values.setInt32(place, argument, true);
      else this.#values.setFloat32(place, argument.float, true);
    });
    const [x, y, z] = grid;
    this.#driver.call('cuCtxSetCurrent', this.#context);
    const named = this.#function(source, kernel);
    if (sharedBytes > (this.#shared.get(named) ?? 0)) {
      this.#driver.call('cuFuncSetAttribute', named, SHARED_BYTES, sharedBytes);
      this.#shared.set(named, sharedBytes);
    }
    this.#driver.call('cuLaunchKernel', named, x, y, z, threads, 1, 1, sharedBytes, stream, this.#addresses, null);
  }

  /** Work in the card's context. */
  within<Made>(work: () => Made): Made {
    this.#driver.call('cuCtxSetCurrent', this.#context);
    return work();
  }

  /** Whether what is put into a stream is recorded, and not done. */
  isRecording(stream: bigint): boolean {
    const status = [0];
    this.#driver.call('cuStreamIsCapturing', stream, status);
    return status[0] !== 0;
  }

  /** Milliseconds that the card takes for each of some works, which are put into a stream one after the other. */
  times(stream: bigint, works: readonly (() => void)[]): number[] {
    const marks: bigint[] = [];
    const mark = (): void => {
      const event = this.#driver.create('cuEventCreate', 0);
      marks.push(event);
      this.#driver.call('cuEventRecord', event, stream);
    };
    try {
      mark();
      for (const work of works) {
        work();
        mark();
      }
      this.#driver.call('cuEventSynchronize', at(marks, works.length));
      return works.map((_, i) => {
        const ms: number[] = [0];
        this.#driver.call('cuEventElapsedTime', ms, at(marks, i), at(marks, i + 1));
        return at(ms, 0);
      });
    } finally {
      for (const event of marks) this.#driver.call('cuEventDestroy_v2', event);
    }
  }

  /** Made before any run is recorded: its memory is allocated here. */
  blas(): CudaBlas {
    this.#driver.call('cuCtxSetCurrent', this.#context);
    this.#blas ??= new CudaBlas();
    return this.#blas;
  }

  /** Memory of zeros that stays as long as the process. */
  zeros(bytes: number): bigint {
    this.#driver.call('cuCtxSetCurrent', this.#context);
    const address = this.#driver.create('cuMemAlloc_v2', bytes);
    this.#driver.call('cuMemsetD8Async', address, 0, bytes, 0n);
    this.#driver.call('cuCtxSynchronize');
    return address;
  }

  /** Compiled by the driver, which keeps what it compiled on disk. */
  prepare(source: KernelSource): void {
    if (this.#modules.has(source)) return;
    this.#driver.call('cuCtxSetCurrent', this.#context);
    const text = gunzipSync(Buffer.from(SOURCES[source], 'base64'));
    this.#modules.set(source, this.#driver.create('cuModuleLoadData', Buffer.concat([text, Uint8Array.of(0)])));
  }

  #function(source: KernelSource, kernel: string): bigint {
    const known = this.#functions.get(kernel);
    if (known !== undefined) return known;
    this.prepare(source);
    const module = this.#modules.get(source);
    if (module === undefined) throw new Error(`${source} is not prepared`);
    const made = this.#driver.create('cuModuleGetFunction', module, kernel);
    this.#functions.set(kernel, made);
    return made;
  }
}
