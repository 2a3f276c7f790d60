/** The CPU as a device: the same programs run on it, in order, without anything in parallel. */
import koffi from 'koffi';
import type { BoundTensor } from '../ort/ort-session.js';
import { divideAligned } from './alignment.js';
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

const ALIGNMENT = 64;

export class HostMemory implements DeviceMemory {
  readonly place = 'Cpu';
  readonly stream = undefined;
  readonly #library = koffi.load(null);
  readonly #allocate = this.#library.func('void* aligned_alloc(size_t, size_t)');
  readonly #free = this.#library.func('void free(void*)');
  readonly #memcpy = this.#library.func('void* memcpy(void*, void*, size_t)');
  readonly #memset = this.#library.func('void* memset(void*, int, size_t)');
  readonly #live = new Set<Address>();

  allocate(bytes: number): Address {
    const address = this.#allocate(ALIGNMENT, Math.max(1, Math.ceil(bytes / ALIGNMENT)) * ALIGNMENT) as Address;
    this.#live.add(address);
    return address;
  }

  free(address: Address): void {
    if (this.#live.delete(address)) this.#free(address);
  }

  divide(allocation: Address, sizes: readonly number[]): readonly Address[] {
    return divideAligned(allocation, sizes);
  }

  locate(tensor: BoundTensor): BoundTensor {
    return tensor;
  }

  room(): MemoryRoom | null {
    return null;
  }

  allocateHost(bytes: number): HostBuffer {
    const address = this.allocate(bytes);
    return { address, bytes: new Uint8Array(koffi.view(address, bytes)) };
  }

  pin(): Promise<() => void> {
    return Promise.resolve(() => undefined);
  }

  upload(to: Address, from: Address, bytes: number): void {
    this.#memcpy(to, from, bytes);
  }

  download(to: Address, from: Address, bytes: number): void {
    this.#memcpy(to, from, bytes);
  }

  downloadBeside(to: Address, from: Address, bytes: number): void {
    this.download(to, from, bytes);
  }

  copy(copies: readonly Copy[], repeat?: Repeat): void {
    for (const { to, from, bytes } of repeated(copies, repeat)) this.#memcpy(to, from, bytes);
  }

  copyFrom(source: DeviceMemory, to: Address, from: Address, bytes: number): void {
    source.download(to, from, bytes);
  }

  zero(address: Address, bytes: number): void {
    this.#memset(address, 0, bytes);
  }

  uploadParts(to: Address, parts: readonly HostRange[]): void {
    let next = to;
    for (const { address, bytes } of parts) {
      this.#memcpy(next, address, bytes);
      next += BigInt(bytes);
    }
  }

  createFence(): Fence {
    const nothing = (): void => undefined;
    return { afterCopies: nothing, afterRuns: nothing, holdRuns: nothing, holdCopies: nothing };
  }

  enter(): void {}

  synchronize(): void {}

  [Symbol.dispose](): void {
    for (const address of this.#live) this.#free(address);
    this.#live.clear();
  }
}
