/**
 * Memory of a WebGPU adapter. A buffer there is a handle, not an address: addresses are numbers of this class, and a
 * buffer is made for each tensor that an allocation is divided into. Copies and runs share one queue, so nothing needs a
 * fence, and nothing is copied beside a run.
 */
import { identityModel } from '../identity-model.js';
import { copyTensor } from '../ort/copy-tensor.js';
import { ortApi, type Pointer } from '../ort/ort-api.js';
import { OrtSession, type BoundTensor } from '../ort/ort-session.js';
import { alignedBytes } from './alignment.js';
import type { Address, DeviceMemory, Fence, HostBuffer, HostRange } from './device-memory.js';
import { HostMemory } from './host-memory.js';

/** One tensor's memory. */
interface GpuBuffer {
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

export class WebGpuMemory implements DeviceMemory {
  readonly place = 'WebGPU_Buf';
  readonly stream = undefined;
  readonly #host = new HostMemory();
  readonly #session: OrtSession;
  readonly #allocator: Pointer;
  readonly #allocations = new Map<bigint, Allocation>();
  #count = 0n;

  /** @param settings of the provider; all its sessions share one device */
  constructor(settings: Readonly<Record<string, string>>) {
    this.#session = new OrtSession(identityModel(), { webgpu: settings });
    this.#allocator = this.#session.createAllocator(this.place);
  }

  /** Takes nothing until it is divided or used. */
  allocate(bytes: number): Address {
    this.#count += 1n;
    this.#allocations.set(this.#count, { bytes, divisions: [], buffers: [] });
    return this.#count * SPACING;
  }

  free(allocation: Address): void {
    const number = allocation / SPACING;
    for (const { handle } of this.#allocations.get(number)?.buffers ?? []) this.#freeBuffer(handle);
    this.#allocations.delete(number);
  }

  #freeBuffer(handle: Pointer): void {
    ortApi().call('AllocatorFree', this.#allocator, handle);
  }

  divide(allocation: Address, sizes: readonly number[]): readonly Address[] {
    const { divisions, buffers, bytes } = this.#allocationOf(allocation);
    const known = divisions.find(
      ({ start, sizes: others }) =>
        start === allocation && others.length === sizes.length && others.every((size, index) => size === sizes[index]),
    );
    if (known !== undefined) return known.addresses;
    // The first division has the allocation's own addresses, so that copies to the whole of it reach its tensors.
    const last = buffers.at(-1);
    const end = last === undefined ? allocation : last.address + BigInt(alignedBytes(last.bytes));
    const isFirst = buffers.length === 0;
    let next = isFirst ? allocation : maximum(end, (allocation / SPACING) * SPACING + BigInt(alignedBytes(bytes)));
    const addresses = sizes.map((size) => {
      const address = next;
      buffers.push({ address, bytes: size, handle: this.#createBuffer(size) });
      next += BigInt(alignedBytes(size));
      return address;
    });
    divisions.push({ start: allocation, sizes: [...sizes], addresses });
    return addresses;
  }

  #createBuffer(bytes: number): Pointer {
    return ortApi().create('AllocatorAlloc', this.#allocator, Math.max(bytes, 1));
  }

  #allocationOf(address: Address): Allocation {
    const allocation = this.#allocations.get(address / SPACING);
    if (allocation === undefined) throw new RangeError(`nothing is allocated at ${address}`);
    return allocation;
  }

  /** The buffers from an address on; an allocation that was never divided is one. */
  #buffersFrom(address: Address): readonly GpuBuffer[] {
    const { buffers, bytes } = this.#allocationOf(address);
    if (buffers.length === 0) this.divide((address / SPACING) * SPACING, [bytes]);
    const first = buffers.findIndex((buffer) => address < buffer.address + BigInt(alignedBytes(buffer.bytes)));
    return first === -1 ? [] : buffers.slice(first);
  }

  #bufferAt(address: Address): { readonly buffer: GpuBuffer; readonly offset: number } {
    const [buffer] = this.#buffersFrom(address);
    if (buffer === undefined || address < buffer.address) throw new RangeError(`nothing lies at ${address}`);
    return { buffer, offset: Number(address - buffer.address) };
  }

  locate(tensor: BoundTensor): BoundTensor {
    const { buffer, offset } = this.#bufferAt(tensor.address);
    if (offset !== 0) throw new RangeError('a tensor begins inside a buffer');
    return { ...tensor, address: buffer.handle };
  }

  /** WebGPU does not tell. */
  room(): null {
    return null;
  }

  allocateHost(bytes: number): HostBuffer {
    return this.#host.allocateHost(bytes);
  }

  pin(): () => void {
    return () => undefined;
  }

  upload(to: Address, from: Address, bytes: number): void {
    const end = to + BigInt(bytes);
    for (const { address, bytes: size, handle } of this.#buffersFrom(to)) {
      if (address >= end) break;
      if (address < to) throw new RangeError('an upload begins inside a buffer');
      const count = Math.min(size, Number(end - address));
      copyTensor(hostBytes(from + (address - to), count), this.#deviceBytes(handle, count));
    }
  }

  uploadParts(to: Address, parts: readonly HostRange[]): void {
    const [only] = parts;
    if (only !== undefined && parts.length === 1) return this.upload(to, only.address, only.bytes);
    const joined = this.#host.allocate(parts.reduce((sum, { bytes }) => sum + bytes, 0));
    this.#host.uploadParts(joined, parts);
    this.upload(
      to,
      joined,
      parts.reduce((sum, { bytes }) => sum + bytes, 0),
    );
    this.#host.free(joined);
  }

  download(to: Address, from: Address, bytes: number): void {
    const { buffer, offset } = this.#bufferAt(from);
    if (offset !== 0) throw new RangeError('a download begins inside a buffer');
    copyTensor(this.#deviceBytes(buffer.handle, bytes), hostBytes(to, bytes));
  }

  /** By way of the host: the provider copies whole buffers only. */
  copy(to: Address, from: Address, bytes: number): void {
    const [source, target] = [this.#bufferAt(from), this.#bufferAt(to)];
    const whole = this.#host.allocate(Math.max(source.buffer.bytes, target.buffer.bytes));
    const moved = this.#host.allocate(bytes);
    this.download(whole, source.buffer.address, source.buffer.bytes);
    this.#host.copy(moved, whole + BigInt(source.offset), bytes);
    this.download(whole, target.buffer.address, target.buffer.bytes);
    this.#host.copy(whole + BigInt(target.offset), moved, bytes);
    this.upload(target.buffer.address, whole, target.buffer.bytes);
    for (const address of [whole, moved]) this.#host.free(address);
  }

  copyFrom(source: DeviceMemory, to: Address, from: Address, bytes: number): void {
    const moved = this.#host.allocate(bytes);
    this.#host.copyFrom(source, moved, from, bytes);
    this.upload(to, moved, bytes);
    this.#host.free(moved);
  }

  zero(address: Address, bytes: number): void {
    const zeros = this.#host.allocate(bytes);
    this.#host.zero(zeros, bytes);
    this.upload(address, zeros, bytes);
    this.#host.free(zeros);
  }

  createFence(): Fence {
    return this.#host.createFence();
  }

  /** Downloads wait for what they need; nothing else is ever waited for. */
  synchronize(): void {}

  #deviceBytes(handle: Pointer, bytes: number): BoundTensor {
    return { place: this.place, address: handle, dtype: 'U8', dims: [bytes] };
  }

  [Symbol.dispose](): void {
    for (const number of this.#allocations.keys()) this.free(number * SPACING);
    ortApi().release('Allocator', this.#allocator);
    this.#session[Symbol.dispose]();
    this.#host[Symbol.dispose]();
  }
}

const maximum = (a: bigint, b: bigint): bigint => (a > b ? a : b);

const hostBytes = (address: Address, bytes: number): BoundTensor => ({
  place: 'Cpu',
  address,
  dtype: 'U8',
  dims: [bytes],
});
