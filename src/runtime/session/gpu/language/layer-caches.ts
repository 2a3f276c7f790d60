/** Keys and values of all layers, those of each layer on the device that runs it. */
import type { CachePart } from '../../../graph/wires.js';
import type { BoundTensor } from '../../../device/ort/ort-session.js';
import type { RowCopy } from './cache-slots.js';
import type { EngineDevice } from '../device/engine-device.js';
import type { MemorySpan } from '../program/lent-room.js';
import { KvBuffers } from './kv-buffers.js';

export interface CacheShape {
  /** The device of each layer. */
  readonly layers: readonly EngineDevice[];
  readonly heads: number;
  readonly headSize: number;
}

interface CacheSize {
  readonly rows: number;
  /** Tokens that a row has room for. */
  readonly capacity: number;
}

export class LayerCaches implements CacheSize {
  readonly rows: number;
  readonly capacity: number;
  readonly #buffers: ReadonlyMap<EngineDevice, KvBuffers>;
  /** Of each layer, the buffers and its number among those that are there. */
  readonly #layers: readonly { readonly buffers: KvBuffers; readonly index: number }[];

  /** @throws Blip2Error `OUT_OF_MEMORY`; what was allocated on other devices is freed */
  constructor({ layers, heads, headSize }: CacheShape, size: CacheSize) {
    this.rows = size.rows;
    this.capacity = size.capacity;
    const buffers = new Map<EngineDevice, KvBuffers>();
    this.#buffers = buffers;
    try {
      this.#layers = layers.map((device, layer) => {
        const own = layers.filter((other) => other === device).length;
        const { float, quantizesCaches } = device.style;
        const shape = { layers: own, heads, headSize, dtype: quantizesCaches === true ? ('U8' as const) : float };
        const there = buffers.get(device) ?? new KvBuffers(device.memory, shape, size);
        buffers.set(device, there);
        return { buffers: there, index: layers.slice(0, layer).filter((other) => other === device).length };
      });
    } catch (error) {
      for (const there of buffers.values()) there.free();
      throw error;
    }
  }

  /** `[rows, heads, capacity, headSize]` of one layer, from its row `first` on. */
  tensor(layer: number, part: CachePart, rows: number, first = 0): BoundTensor {
    const found = this.#layers[layer];
    if (found === undefined) throw new RangeError(`no layer ${layer}`);
    return found.buffers.tensor(found.index, part, rows, first);
  }

  /** All their memory. */
  get spans(): MemorySpan[] {
    return [...this.#buffers.values()].map(({ span }) => span);
  }

  /** No row that is copied to is copied from. */
  copyRows(rows: readonly RowCopy[]): void {
    if (rows.length === 0) return;
    for (const buffers of this.#buffers.values()) buffers.copyRows(rows);
  }

  zeroRows(rows: readonly number[]): void {
    for (const buffers of this.#buffers.values()) buffers.zeroRows(rows);
  }

  /** Takes over the tokens of smaller caches and frees them. */
  takeOver(smaller: LayerCaches): void {
    for (const [device, buffers] of this.#buffers) {
      const old = smaller.#buffers.get(device);
      if (old === undefined) continue;
      buffers.copyFrom(old);
      device.memory.synchronize();
      old.free();
    }
  }
}
