/** Memory of one CUDA device: allocations of exact size, one stream for runs and one for copies ahead of them. */
import koffi from 'koffi';
import { Blip2Error } from '../../../errors.js';
import { formatSize } from '../../../planner/size.js';
import { OUT_OF_MEMORY, type CudaDriver } from './cuda-driver.js';
import type { Address, DeviceMemory, Fence, HostBuffer } from './device-memory.js';

/** `CU_STREAM_NON_BLOCKING` and `CU_EVENT_DISABLE_TIMING` */
const NON_BLOCKING = 1;
const NO_TIMING = 2;
/** `CU_MEMHOSTREGISTER_READ_ONLY`: without it the driver refuses mappings that may not be written. */
const READ_ONLY = 8;

export class CudaMemory implements DeviceMemory {
  readonly place = 'Cuda';
  readonly stream: bigint;
  readonly #driver: CudaDriver;
  readonly #device: number;
  readonly #copies: bigint;
  readonly #live = new Map<Address, number>();
  readonly #host: bigint[] = [];
  readonly #events: bigint[] = [];

  constructor(driver: CudaDriver, device: number) {
    this.#driver = driver;
    this.#device = device;
    driver.call('cuCtxSetCurrent', driver.create('cuDevicePrimaryCtxRetain', device));
    this.stream = driver.create('cuStreamCreate', NON_BLOCKING);
    this.#copies = driver.create('cuStreamCreate', NON_BLOCKING);
  }

  allocate(bytes: number): Address {
    const slot: (bigint | number | null)[] = [null];
    const code = this.#driver.try('cuMemAlloc_v2', slot, Math.max(bytes, 1));
    if (code === OUT_OF_MEMORY) throw this.#outOfMemory(bytes);
    if (code !== 0) throw new Blip2Error('CUDA_FAILED', `the CUDA driver answered ${code} to an allocation`);
    const address = BigInt(slot[0] ?? 0);
    this.#live.set(address, bytes);
    return address;
  }

  #outOfMemory(bytes: number): Blip2Error {
    const { freeBytes, totalBytes } = this.#info();
    const held = [...this.#live.values()].reduce((sum, size) => sum + size, 0);
    return new Blip2Error(
      'OUT_OF_MEMORY',
      `GPU ${this.#device} has ${formatSize(freeBytes)} of ${formatSize(totalBytes)} free; ${formatSize(bytes)} more are needed beside the ${formatSize(held)} held here`,
      {
        hint: 'End other programs on this GPU, or plan again with a smaller --vram.',
        details: { device: this.#device, neededBytes: bytes, freeBytes, totalBytes, heldBytes: held },
      },
    );
  }

  #info(): { freeBytes: number; totalBytes: number } {
    const free = [0];
    const total = [0];
    this.#driver.call('cuMemGetInfo_v2', free, total);
    return { freeBytes: Number(free[0]), totalBytes: Number(total[0]) };
  }

  free(address: Address): void {
    if (this.#live.delete(address)) this.#driver.call('cuMemFree_v2', address);
  }

  allocateHost(bytes: number): HostBuffer {
    const address = this.#driver.create('cuMemHostAlloc', bytes, 0);
    this.#host.push(address);
    return { address, bytes: new Uint8Array(koffi.view(address, bytes)) };
  }

  pin(address: Address, bytes: number): () => void {
    const refused = this.#driver.try('cuMemHostRegister_v2', address, bytes, READ_ONLY) !== 0;
    if (refused) return () => undefined;
    return () => {
      this.synchronize();
      this.#driver.call('cuMemHostUnregister', address);
    };
  }

  upload(to: Address, from: Address, bytes: number): void {
    this.#driver.call('cuMemcpyHtoDAsync_v2', to, from, bytes, this.stream);
  }

  download(to: Address, from: Address, bytes: number): void {
    this.#driver.call('cuMemcpyDtoHAsync_v2', to, from, bytes, this.stream);
    this.#driver.call('cuStreamSynchronize', this.stream);
  }

  copy(to: Address, from: Address, bytes: number): void {
    this.#driver.call('cuMemcpyDtoDAsync_v2', to, from, bytes, this.stream);
  }

  zero(address: Address, bytes: number): void {
    this.#driver.call('cuMemsetD8Async', address, 0, bytes, this.stream);
  }

  uploadAhead(to: Address, from: Address, bytes: number): void {
    this.#driver.call('cuMemcpyHtoDAsync_v2', to, from, bytes, this.#copies);
  }

  createFence(): Fence {
    const event = this.#driver.create('cuEventCreate', NO_TIMING);
    this.#events.push(event);
    return {
      afterCopies: () => this.#driver.call('cuEventRecord', event, this.#copies),
      afterRuns: () => this.#driver.call('cuEventRecord', event, this.stream),
      holdRuns: () => this.#driver.call('cuStreamWaitEvent', this.stream, event, 0),
      holdCopies: () => this.#driver.call('cuStreamWaitEvent', this.#copies, event, 0),
    };
  }

  synchronize(): void {
    this.#driver.call('cuCtxSynchronize');
  }

  /** The context stays until the process ends: ONNX Runtime frees what it holds in it even later. */
  [Symbol.dispose](): void {
    this.synchronize();
    for (const event of this.#events) this.#driver.call('cuEventDestroy_v2', event);
    for (const address of this.#host) this.#driver.call('cuMemFreeHost', address);
    for (const address of this.#live.keys()) this.free(address);
    for (const stream of [this.stream, this.#copies]) this.#driver.call('cuStreamDestroy_v2', stream);
  }
}
