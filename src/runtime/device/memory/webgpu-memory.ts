/**
 * Memory of a WebGPU adapter. Each tensor is a buffer of its own; copies and runs share one queue, so nothing needs a fence,
 * and nothing is copied beside a run.
 */
import { identityModel } from '../ort/identity-model.js';
import { copyTensor } from '../ort/copy-tensor.js';
import { ortApi, type Pointer } from '../ort/ort-api.js';
import { OrtSession, type BoundTensor } from '../ort/ort-session.js';
import type { ProviderDevice } from '../provider.js';
import { vulkanAdapters } from '../vulkan-adapters.js';
import { BufferRows } from './buffer-rows.js';
import {
  repeated,
  type Address,
  type Copy,
  type DeviceMemory,
  type Fence,
  type HostBuffer,
  type HostRange,
  type MemoryRoom,
  type Repeat,
} from './device-memory.js';
import { HostMemory } from './host-memory.js';
import { outOfMemory } from './out-of-memory.js';
import { WebGpuBuffers, type GpuBuffer } from './webgpu-buffers.js';

const WORD_BYTES = 4;
/** Of these allocations the system is asked first: the provider does not say that there is no memory. */
const LARGE_BYTES = 256 * 2 ** 20;
/** Uploads go through staging memory of their size, much of it on the card, which is free again once the device is done. */
const MOST_IN_FLIGHT_BYTES = 64 * 2 ** 20;

export class WebGpuMemory implements DeviceMemory {
  readonly place = 'WebGPU_Buf';
  readonly stream = undefined;
  readonly #host = new HostMemory();
  readonly #settings: Readonly<Record<string, string>>;
  /** Keeps the device, whose buffers outlive other sessions. */
  readonly #session: OrtSession;
  readonly #allocator: Pointer;
  readonly #buffers: WebGpuBuffers;
  #rows: BufferRows | null = null;
  readonly #answer: HostBuffer;
  #inFlightBytes = 0;
  /** Where what comes in parts is put together. */
  #joined: HostRange = { address: 0n, bytes: 0 };
  /** What rows are rearranged in. */
  #spare: { readonly address: Address; readonly bytes: number } | null = null;

  readonly #adapter: () => ProviderDevice | undefined;

  /**
   * @param settings of the provider; all its sessions share one device
   * @param adapter what the system tells of the device at the moment
   */
  constructor(settings: Readonly<Record<string, string>>, adapter = () => vulkanAdapters().at(0)) {
    this.#settings = settings;
    this.#adapter = adapter;
    this.#session = new OrtSession(identityModel(), { webgpu: settings });
    this.#allocator = this.#session.createAllocator(this.place);
    this.#buffers = new WebGpuBuffers(this.#allocator);
    this.#answer = this.#host.allocateHost(WORD_BYTES);
  }

  room(): MemoryRoom | null {
    const { memoryBytes = null, freeBytes = null } = this.#adapter() ?? {};
    if (memoryBytes === null || freeBytes === null) return null;
    return { device: 'GPU 0', totalBytes: memoryBytes, freeBytes, heldBytes: this.#buffers.heldBytes };
  }

  allocate(bytes: number): Address {
    const room = bytes < LARGE_BYTES ? null : this.room();
    if (room !== null && room.freeBytes < bytes) throw outOfMemory(room, bytes);
    return this.#buffers.allocate(bytes);
  }

  free(allocation: Address): void {
    this.#buffers.free(allocation);
  }

  divide(allocation: Address, sizes: readonly number[]): readonly Address[] {
    return this.#buffers.divide(allocation, sizes);
  }

  locate(tensor: BoundTensor): BoundTensor {
    return { ...tensor, address: this.#buffers.beginningAt(tensor.address).handle };
  }

  allocateHost(bytes: number): HostBuffer {
    return this.#host.allocateHost(bytes);
  }

  pin(): Promise<() => void> {
    return Promise.resolve(() => undefined);
  }

  upload(to: Address, from: Address, bytes: number): void {
    const end = to + BigInt(bytes);
    for (const { address, bytes: size, handle } of this.#buffers.from(to)) {
      if (address >= end) break;
      if (address < to) throw new RangeError('an upload begins inside a buffer');
      const count = Math.min(size, Number(end - address));
      copyTensor(hostBytes(from + (address - to), count), deviceBytes(handle, count));
      this.#inFlightBytes += count;
      if (this.#inFlightBytes >= MOST_IN_FLIGHT_BYTES) this.#await(handle);
    }
  }

  /** Returns when the device has done everything so far. */
  #await(handle: Pointer): void {
    copyTensor(deviceBytes(handle, WORD_BYTES), hostBytes(this.#answer.address, WORD_BYTES));
    this.#inFlightBytes = 0;
  }

  uploadParts(to: Address, parts: readonly HostRange[]): void {
    const [only] = parts;
    if (only !== undefined && parts.length === 1) return this.upload(to, only.address, only.bytes);
    const bytes = parts.reduce((sum, part) => sum + part.bytes, 0);
    // Kept, because the system clears every page that it gives anew.
    if (this.#joined.bytes < bytes) {
      this.#host.free(this.#joined.address);
      this.#joined = { address: this.#host.allocate(bytes), bytes };
    }
    this.#host.uploadParts(this.#joined.address, parts);
    this.upload(to, this.#joined.address, bytes);
  }

  download(to: Address, from: Address, bytes: number): void {
    copyTensor(deviceBytes(this.#buffers.beginningAt(from).handle, bytes), hostBytes(to, bytes));
  }

  downloadBeside(to: Address, from: Address, bytes: number): void {
    this.download(to, from, bytes);
  }

  copy(copies: readonly Copy[], repeat?: Repeat): void {
    const byTarget = new Map<GpuBuffer, Copy[]>();
    for (const copy of repeated(copies, repeat)) {
      const { buffer } = this.#buffers.at(copy.to);
      byTarget.set(buffer, [...(byTarget.get(buffer) ?? []), copy]);
    }
    for (const [target, own] of byTarget) {
      if (!this.#rearrange(target, own)) this.#copyByHost(target, own);
    }
  }

  /** False where the copies are not of rows of one buffer. */
  #rearrange(target: GpuBuffer, copies: readonly Copy[]): boolean {
    const rowBytes = copies[0]?.bytes ?? 0;
    const isRows = rowBytes % WORD_BYTES === 0 && target.bytes % rowBytes === 0;
    if (!isRows || copies.some(({ bytes }) => bytes !== rowBytes)) return false;
    const rowOf = (address: Address): number => {
      const { buffer, offset } = this.#buffers.at(address);
      return buffer === target ? offset / rowBytes : -1;
    };
    const sources = Array.from({ length: target.bytes / rowBytes }, (_, row) => row);
    for (const { to, from } of copies) {
      const row = rowOf(from);
      if (!(row in sources) || !(rowOf(to) in sources)) return false;
      sources[rowOf(to)] = row;
    }
    this.#rows ??= new BufferRows(this.#settings);
    this.#rows.rearrange(target.handle, rowBytes, sources, this.#spareBuffer(target.bytes));
    return true;
  }

  #spareBuffer(bytes: number): Pointer {
    if (this.#spare === null || this.#spare.bytes < bytes) {
      if (this.#spare !== null) this.free(this.#spare.address);
      this.#spare = { address: this.allocate(bytes), bytes };
    }
    return this.#buffers.beginningAt(this.#spare.address).handle;
  }

  /** The provider copies whole buffers only. */
  #copyByHost(target: GpuBuffer, copies: readonly Copy[]): void {
    const read = new Map<GpuBuffer, Address>();
    const bytesOf = (buffer: GpuBuffer): Address => {
      const known = read.get(buffer);
      if (known !== undefined) return known;
      const bytes = this.#host.allocate(buffer.bytes);
      this.download(bytes, buffer.address, buffer.bytes);
      read.set(buffer, bytes);
      return bytes;
    };
    const moves = copies.map(({ to, from, bytes }) => {
      const source = this.#buffers.at(from);
      const offset = BigInt(this.#buffers.at(to).offset);
      return { to: bytesOf(target) + offset, from: bytesOf(source.buffer) + BigInt(source.offset), bytes };
    });
    this.#host.copy(moves);
    this.upload(target.address, bytesOf(target), target.bytes);
    for (const address of read.values()) this.#host.free(address);
  }

  copyFrom(source: DeviceMemory, to: Address, from: Address, bytes: number): void {
    const moved = this.#host.allocate(bytes);
    this.#host.copyFrom(source, moved, from, bytes);
    this.upload(to, moved, bytes);
    this.#host.free(moved);
  }

  zero(address: Address, bytes: number): void {
    const end = address + BigInt(bytes);
    for (const buffer of this.#buffers.from(address)) {
      if (buffer.address >= end) break;
      const begin = Math.max(0, Number(address - buffer.address));
      const count = Math.min(buffer.bytes, Number(end - buffer.address)) - begin;
      if (count > 0) this.#zeroPart(buffer, begin, count);
    }
  }

  /** Buffers are written from their beginnings: what stands before is read and written again. */
  #zeroPart({ address }: GpuBuffer, begin: number, bytes: number): void {
    const written = this.#host.allocate(begin + bytes);
    if (begin > 0) this.download(written, address, begin);
    this.#host.zero(written + BigInt(begin), bytes);
    this.upload(address, written, begin + bytes);
    this.#host.free(written);
  }

  createFence(): Fence {
    return this.#host.createFence();
  }

  /** Downloads wait for what they need; nothing else is ever waited for. */
  enter(): void {}

  synchronize(): void {}

  [Symbol.dispose](): void {
    this.#buffers.freeAll();
    this.#rows?.[Symbol.dispose]();
    ortApi().release('Allocator', this.#allocator);
    this.#session[Symbol.dispose]();
    this.#host[Symbol.dispose]();
  }
}

const deviceBytes = (handle: Pointer, bytes: number): BoundTensor => ({
  place: 'WebGPU_Buf',
  address: handle,
  dtype: 'U8',
  dims: [bytes],
});

const hostBytes = (address: Address, bytes: number): BoundTensor => ({
  place: 'Cpu',
  address,
  dtype: 'U8',
  dims: [bytes],
});
