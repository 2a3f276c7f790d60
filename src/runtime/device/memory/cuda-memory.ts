/** Memory of one CUDA device: allocations of exact size, one stream for runs and one for copies ahead of them. */
import koffi from 'koffi';
import type { BoundTensor } from '../ort/ort-session.js';
import { divideAligned } from './alignment.js';
import type { CudaDriver } from './cuda-driver.js';
import {
  repeated,
  type Address,
  type AskedPiece,
  type Copy,
  type DeviceMemory,
  type Fence,
  type HostBuffer,
  type HostRange,
  type MemoryRoom,
  type Repeat,
} from './device-memory.js';
import { lockedPieces } from './locked-pieces.js';
import { hostOutOfMemory, outOfMemory } from './out-of-memory.js';

/** `CU_STREAM_NON_BLOCKING` and `CU_EVENT_DISABLE_TIMING` */
const NON_BLOCKING = 1;
const NO_TIMING = 2;
/** Of streams: less comes first. The driver takes the nearest that the card has; 0 is the last of all. */
const LAST = 0;
const FIRST = -100;

/** `CU_MEMORYTYPE_DEVICE` */
const ON_DEVICE = 2n;
/** What every driver takes as the distance of rows that it copies in one go. */
const LARGEST_PITCH = 2 ** 31 - 1;

/** Locks pages elsewhere than in the calling thread; undefined where it could not try. */
export type LockPages = (range: HostRange) => Promise<boolean | undefined>;

export class CudaMemory implements DeviceMemory {
  readonly place: `Cuda:${number}`;
  readonly stream: bigint;
  readonly #isBeside: boolean;
  readonly #driver: CudaDriver;
  readonly #device: number;
  readonly #lockPages: LockPages | undefined;
  readonly #context: bigint;
  readonly #copies: bigint;
  /** Passed once runs here are done whose results another device copies. */
  readonly #peerFence: bigint;
  readonly #live = new Map<Address, number>();
  readonly #host = new Map<Address, number>();
  readonly #events: bigint[] = [];

  /**
   * @param isBeside whether others work on the device beside this: what they ask of it is nothing to wait for, and what this asks for is
   *   done first
   */
  constructor(driver: CudaDriver, device: number, isBeside = false, lockPages?: LockPages) {
    this.#isBeside = isBeside;
    this.#lockPages = lockPages;
    this.#driver = driver;
    this.#device = device;
    this.place = `Cuda:${device}`;
    this.#context = driver.create('cuDevicePrimaryCtxRetain', device);
    const priority = isBeside ? FIRST : LAST;
    this.stream = this.#here().create('cuStreamCreateWithPriority', NON_BLOCKING, priority);
    this.#copies = driver.create('cuStreamCreateWithPriority', NON_BLOCKING, priority);
    this.#peerFence = driver.create('cuEventCreate', NO_TIMING);
    this.#events.push(this.#peerFence);
  }

  enter(): void {
    this.#driver.call('cuCtxSetCurrent', this.#context);
  }

  /** The driver, with this device's context current: runs on other devices change that. */
  #here(): CudaDriver {
    this.enter();
    return this.#driver;
  }

  allocate(bytes: number): Address {
    const address = this.#here().allocate('cuMemAlloc_v2', Math.max(bytes, 1));
    if (address === null) throw outOfMemory(this.room(), bytes);
    this.#live.set(address, bytes);
    return address;
  }

  room(): MemoryRoom {
    const [free, total] = [[0], [0]];
    this.#here().call('cuMemGetInfo_v2', free, total);
    return {
      device: `GPU ${this.#device}`,
      totalBytes: Number(total[0]),
      freeBytes: Number(free[0]),
      heldBytes: bytesOf(this.#live),
    };
  }

  free(address: Address): void {
    if (this.#live.delete(address)) this.#here().call('cuMemFree_v2', address);
  }

  divide(allocation: Address, sizes: readonly number[]): readonly Address[] {
    return divideAligned(allocation, sizes);
  }

  locate(tensor: BoundTensor): BoundTensor {
    return tensor;
  }

  allocateHost(bytes: number): HostBuffer {
    const address = this.#here().allocate('cuMemHostAlloc', bytes, 0);
    if (address === null) throw hostOutOfMemory(bytes, bytesOf(this.#host));
    this.#host.set(address, bytes);
    return { address, bytes: new Uint8Array(koffi.view(address, bytes)) };
  }

  /** Piece by piece: the driver answers nobody else while it locks one. What it refuses is copied as before. */
  async pin(address: Address, bytes: number, begun?: Promise<readonly AskedPiece[]>): Promise<() => void> {
    const asked = await (begun ?? this.#ask({ address, bytes }));
    const isLocked = (piece: AskedPiece) => piece.isLocked ?? this.#here().lockPages(piece.range);
    const locked = asked.filter(isLocked).map(({ range }) => range);
    return () => {
      if (locked.length > 0) this.synchronize();
      for (const piece of locked) this.#here().call('cuMemHostUnregister', piece.address);
    };
  }

  #ask(range: HostRange): Promise<readonly AskedPiece[]> {
    const ask = async (piece: HostRange) => ({ range: piece, isLocked: await this.#lockPages?.(piece) });
    return Promise.all(lockedPieces(range).map(ask));
  }

  upload(to: Address, from: Address, bytes: number): void {
    this.#here().call('cuMemcpyHtoDAsync_v2', to, from, bytes, this.stream);
  }

  download(to: Address, from: Address, bytes: number): void {
    this.#here().call('cuMemcpyDtoHAsync_v2', to, from, bytes, this.stream);
    this.#here().call('cuStreamSynchronize', this.stream);
  }

  downloadBeside(to: Address, from: Address, bytes: number): void {
    this.#here().call('cuMemcpyDtoHAsync_v2', to, from, bytes, this.#copies);
    this.#here().call('cuStreamSynchronize', this.#copies);
  }

  copy(copies: readonly Copy[], repeat?: Repeat): void {
    const driver = this.#here();
    if (repeat !== undefined && repeat.strideBytes <= LARGEST_PITCH) {
      for (const copy of copies) driver.call('cuMemcpy2DAsync_v2', pitchedCopy(copy, repeat), this.stream);
      return;
    }
    for (const { to, from, bytes } of repeated(copies, repeat))
      driver.call('cuMemcpyDtoDAsync_v2', to, from, bytes, this.stream);
  }

  copyFrom(source: DeviceMemory, to: Address, from: Address, bytes: number): void {
    if (!(source instanceof CudaMemory)) return this.upload(to, from, bytes);
    const fence = source.#peerFence;
    source.#here().call('cuEventRecord', fence, source.stream);
    const driver = this.#here();
    driver.call('cuStreamWaitEvent', this.stream, fence, 0);
    driver.call('cuMemcpyPeerAsync', to, this.#context, from, source.#context, bytes, this.stream);
  }

  zero(address: Address, bytes: number): void {
    this.#here().call('cuMemsetD8Async', address, 0, bytes, this.stream);
  }

  uploadParts(to: Address, parts: readonly HostRange[], ahead: boolean): void {
    let next = to;
    for (const { address, bytes } of parts.flatMap(lockedPieces)) {
      this.#here().call('cuMemcpyHtoDAsync_v2', next, address, bytes, ahead ? this.#copies : this.stream);
      next += BigInt(bytes);
    }
  }

  createFence(): Fence {
    const event = this.#here().create('cuEventCreate', NO_TIMING);
    this.#events.push(event);
    return {
      afterCopies: () => this.#here().call('cuEventRecord', event, this.#copies),
      afterRuns: () => this.#here().call('cuEventRecord', event, this.stream),
      holdRuns: () => this.#here().call('cuStreamWaitEvent', this.stream, event, 0),
      holdCopies: () => this.#here().call('cuStreamWaitEvent', this.#copies, event, 0),
    };
  }

  synchronize(): void {
    const driver = this.#here();
    if (!this.#isBeside) return driver.call('cuCtxSynchronize');
    for (const stream of [this.stream, this.#copies]) driver.call('cuStreamSynchronize', stream);
  }

  /** The context stays until the process ends: ONNX Runtime frees what it holds in it even later. */
  [Symbol.dispose](): void {
    this.synchronize();
    for (const event of this.#events) this.#here().call('cuEventDestroy_v2', event);
    for (const address of this.#host.keys()) this.#here().call('cuMemFreeHost', address);
    for (const address of this.#live.keys()) this.free(address);
    for (const stream of [this.stream, this.#copies]) this.#here().call('cuStreamDestroy_v2', stream);
  }
}

/** `CUDA_MEMCPY2D` between two places of a device. */
function pitchedCopy({ to, from, bytes }: Copy, { count, strideBytes }: Repeat): Uint8Array {
  const fields = new BigUint64Array(16);
  const side = (at: number, address: Address) => {
    fields[at + 2] = ON_DEVICE;
    fields[at + 4] = address;
    fields[at + 6] = BigInt(strideBytes);
  };
  side(0, from);
  side(7, to);
  fields[14] = BigInt(bytes);
  fields[15] = BigInt(count);
  return new Uint8Array(fields.buffer);
}

const bytesOf = (allocations: ReadonlyMap<Address, number>): number =>
  [...allocations.values()].reduce((sum, bytes) => sum + bytes, 0);
