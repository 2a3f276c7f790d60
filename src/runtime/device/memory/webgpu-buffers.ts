/** The buffers of a WebGPU device by address: an address is a number of this class, since a buffer is a handle. */
import { ortApi, type Pointer } from '../ort/ort-api.js';
import { alignedBytes } from './alignment.js';
import type { Address } from './device-memory.js';

/** One tensor's memory. */
export interface GpuBuffer {
  readonly address: Address;
  readonly bytes: number;
  readonly handle: Pointer;
}

interface Division {
  readonly start: Address;
  readonly sizes: readonly number[];
  readonly addresses: readonly Address[];
}

interface Allocation {
  readonly bytes: number;
  readonly divisions: Division[];
  /** In the order of their addresses. */
  readonly buffers: GpuBuffer[];
}

/** Further than any allocation is long: the quotient of an address is the allocation's number. */
const SPACING = 1n << 44n;

export class WebGpuBuffers {
  readonly #allocator: Pointer;
  readonly #allocations = new Map<bigint, Allocation>();
  #count = 0n;

  constructor(allocator: Pointer) {
    this.#allocator = allocator;
  }

  get heldBytes(): number {
    const buffers = [...this.#allocations.values()].flatMap((allocation) => allocation.buffers);
    return buffers.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Takes nothing until it is divided or used. */
  allocate(bytes: number): Address {
    this.#count += 1n;
    this.#allocations.set(this.#count, { bytes, divisions: [], buffers: [] });
    return this.#count * SPACING;
  }

  free(allocation: Address): void {
    const number = allocation / SPACING;
    const buffers = this.#allocations.get(number)?.buffers ?? [];
    for (const { handle } of buffers) ortApi().call('AllocatorFree', this.#allocator, handle);
    this.#allocations.delete(number);
  }

  freeAll(): void {
    for (const number of this.#allocations.keys()) this.free(number * SPACING);
  }

  /**
   * A buffer for each size: one of an earlier division from the same address, where one is large enough, else a new one. The
   * first division has the allocation's own addresses, so that copies to the whole of it reach its tensors.
   */
  divide(start: Address, sizes: readonly number[]): readonly Address[] {
    const { divisions, buffers, bytes } = this.#allocationOf(start);
    const known = divisions.find((division) => division.start === start && areEqual(division.sizes, sizes));
    if (known !== undefined) return known.addresses;
    const sameStart = divisions.filter((division) => division.start === start);
    const idle = new Set(
      sameStart.flatMap((division) => division.addresses).map((address) => this.beginningAt(address)),
    );
    const addresses = new Map<number, Address>();
    // The largest first, each into the smallest that is large enough.
    const order = [...sizes.keys()].toSorted((i, j) => (sizes[j] ?? 0) - (sizes[i] ?? 0));
    for (const index of order) {
      const size = sizes[index] ?? 0;
      const found = smallestOf(idle, size);
      if (found === undefined) continue;
      idle.delete(found);
      addresses.set(index, found.address);
    }
    const last = buffers.at(-1);
    const afterLast = last === undefined ? start : last.address + BigInt(alignedBytes(last.bytes));
    const ownEnd = (start / SPACING) * SPACING + BigInt(alignedBytes(bytes));
    let next = last === undefined || afterLast > ownEnd ? afterLast : ownEnd;
    const all = sizes.map((size, index) => {
      const reused = addresses.get(index);
      if (reused !== undefined) return reused;
      const address = next;
      const handle = ortApi().create('AllocatorAlloc', this.#allocator, Math.max(size, 1));
      buffers.push({ address, bytes: size, handle });
      next += BigInt(alignedBytes(size));
      return address;
    });
    divisions.push({ start, sizes: [...sizes], addresses: all });
    return all;
  }

  /** The buffers from an address on; an allocation that was never divided is one. */
  from(address: Address): readonly GpuBuffer[] {
    const { buffers, bytes } = this.#allocationOf(address);
    if (buffers.length === 0) this.divide((address / SPACING) * SPACING, [bytes]);
    const first = buffers.findIndex((buffer) => address < buffer.address + BigInt(alignedBytes(buffer.bytes)));
    return first === -1 ? [] : buffers.slice(first);
  }

  /** The buffer that an address is in. */
  at(address: Address): { readonly buffer: GpuBuffer; readonly offset: number } {
    const [buffer] = this.from(address);
    if (buffer === undefined || address < buffer.address) throw new RangeError(`nothing lies at ${address}`);
    return { buffer, offset: Number(address - buffer.address) };
  }

  /** @throws RangeError where the address is inside a buffer */
  beginningAt(address: Address): GpuBuffer {
    const { buffer, offset } = this.at(address);
    if (offset !== 0) throw new RangeError(`a buffer begins ${offset} bytes before ${address}`);
    return buffer;
  }

  #allocationOf(address: Address): Allocation {
    const allocation = this.#allocations.get(address / SPACING);
    if (allocation === undefined) throw new RangeError(`nothing is allocated at ${address}`);
    return allocation;
  }
}

const areEqual = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((size, index) => size === b[index]);

const smallestOf = (buffers: ReadonlySet<GpuBuffer>, bytes: number): GpuBuffer | undefined =>
  [...buffers].filter((buffer) => buffer.bytes >= bytes).toSorted((a, b) => a.bytes - b.bytes)[0];
