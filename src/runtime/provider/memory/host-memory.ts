/** The CPU as a device: the same programs run on it, in order, without anything in parallel. */
import koffi from 'koffi';
import type { Address, DeviceMemory, Fence, HostBuffer } from './device-memory.js';

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

  allocateHost(bytes: number): HostBuffer {
    const address = this.allocate(bytes);
    return { address, bytes: new Uint8Array(koffi.view(address, bytes)) };
  }

  pin(): () => void {
    return () => undefined;
  }

  upload(to: Address, from: Address, bytes: number): void {
    this.#memcpy(to, from, bytes);
  }

  download(to: Address, from: Address, bytes: number): void {
    this.#memcpy(to, from, bytes);
  }

  copy(to: Address, from: Address, bytes: number): void {
    this.#memcpy(to, from, bytes);
  }

  zero(address: Address, bytes: number): void {
    this.#memset(address, 0, bytes);
  }

  uploadAhead(to: Address, from: Address, bytes: number): void {
    this.#memcpy(to, from, bytes);
  }

  createFence(): Fence {
    const nothing = (): void => undefined;
    return { afterCopies: nothing, afterRuns: nothing, holdRuns: nothing, holdCopies: nothing };
  }

  synchronize(): void {}

  [Symbol.dispose](): void {
    for (const address of this.#live) this.#free(address);
    this.#live.clear();
  }
}
