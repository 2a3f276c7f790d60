/** Keys and values of all layers on the device: buffers of fixed length that past and new tokens share. */
import { CACHE_SCALE_BYTES } from '../../../../model/quantized-caches.js';
import { DTYPE_BITS } from '../../../../tensor/dtype.js';
import type { CachePart } from '../../../graph/wires.js';
import { alignedBytes } from '../../../device/memory/alignment.js';
import type { Address, Copy, DeviceMemory } from '../../../device/memory/device-memory.js';
import type { BoundTensor } from '../../../device/ort/ort-session.js';
import type { MemorySpan } from '../program/lent-room.js';
import type { RowCopy } from './cache-slots.js';

/** What each token leaves in the caches. */
export interface KvShape {
  readonly layers: number;
  readonly heads: number;
  readonly headSize: number;
  /** U8: integers, and their scales behind the last token of a head. */
  readonly dtype: 'F16' | 'F32' | 'U8';
}

export class KvBuffers {
  readonly rows: number;
  /** Tokens that a row has room for. */
  readonly capacity: number;
  readonly span: MemorySpan;
  readonly #memory: DeviceMemory;
  readonly #shape: KvShape;
  readonly #base: Address;
  readonly #parts: readonly Address[];

  constructor(memory: DeviceMemory, shape: KvShape, size: { rows: number; capacity: number }) {
    this.rows = size.rows;
    this.capacity = size.capacity;
    this.#memory = memory;
    this.#shape = shape;
    const sizes = Array.from({ length: 2 * shape.layers }, () => this.#partBytes);
    const bytes = sum(sizes.map(alignedBytes));
    this.#base = memory.allocate(bytes);
    this.#parts = memory.divide(this.#base, sizes);
    // What lies behind the last token is masked, not skipped: it has to be numbers.
    memory.zero(this.#base, bytes);
    this.span = { memory, address: this.#base, bytes };
  }

  /** Bytes of a token in each of the parts of a head, which hold all tokens one behind the other. */
  get #tokenBytes(): readonly number[] {
    const { headSize, dtype } = this.#shape;
    const bytes = (headSize * DTYPE_BITS[dtype]) / 8;
    return dtype === 'U8' ? [bytes, CACHE_SCALE_BYTES] : [bytes];
  }

  get #headBytes(): number {
    return this.capacity * sum(this.#tokenBytes);
  }

  get #rowBytes(): number {
    return this.#shape.heads * this.#headBytes;
  }

  get #partBytes(): number {
    return this.rows * this.#rowBytes;
  }

  /** `[rows, heads, capacity, headSize]` of one layer, with its scales as so many bytes more, from its row `first` on. */
  tensor(layer: number, part: CachePart, rows: number, first = 0): BoundTensor {
    const { heads, dtype } = this.#shape;
    if (first + rows > this.rows) throw new RangeError(`rows ${first} to ${first + rows - 1} of ${this.rows}`);
    return {
      place: this.#memory.place,
      address: this.#address(2 * layer + (part === 'key' ? 0 : 1), first),
      dtype,
      dims: [rows, heads, this.capacity, (8 * sum(this.#tokenBytes)) / DTYPE_BITS[dtype]],
    };
  }

  #address(part: number, row: number): Address {
    const address = this.#parts[part];
    if (address === undefined) throw new RangeError(`no cache ${part}`);
    return address + BigInt(row * this.#rowBytes);
  }

  /** No row that is copied to is copied from. */
  copyRows(rows: readonly RowCopy[]): void {
    const ofFirst = rows.map(({ from, to }) => ({
      to: this.#address(0, to),
      from: this.#address(0, from),
      bytes: this.#rowBytes,
    }));
    this.#memory.copy(ofFirst, { count: this.#parts.length, strideBytes: alignedBytes(this.#partBytes) });
  }

  zeroRows(rows: readonly number[]): void {
    for (const part of this.#parts.keys()) {
      for (const row of rows) this.#memory.zero(this.#address(part, row), this.#rowBytes);
    }
  }

  /** Takes over the tokens of smaller buffers. */
  copyFrom(other: KvBuffers): void {
    const tokens = Math.min(this.capacity, other.capacity);
    const copies: Copy[] = [];
    for (let part = 0; part < this.#parts.length; part++) {
      for (let row = 0; row < Math.min(this.rows, other.rows); row++) {
        for (let head = 0; head < this.#shape.heads; head++) {
          let to = this.#address(part, row) + BigInt(head * this.#headBytes);
          let from = other.#address(part, row) + BigInt(head * other.#headBytes);
          for (const tokenBytes of this.#tokenBytes) {
            copies.push({ to, from, bytes: tokens * tokenBytes });
            to += BigInt(this.capacity * tokenBytes);
            from += BigInt(other.capacity * tokenBytes);
          }
        }
      }
    }
    this.#memory.copy(copies);
  }

  free(): void {
    this.#memory.free(this.#base);
  }
}

const sum = (numbers: readonly number[]): number => numbers.reduce((all, each) => all + each, 0);
