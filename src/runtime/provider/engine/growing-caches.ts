/** The caches of one prompt after another: grown when rows or tokens ask for more, never shrunk. */
import type { DeviceMemory } from '../memory/device-memory.js';
import { KvBuffers, type KvShape } from './kv-buffers.js';

/** Caches grow by this many tokens. */
const CAPACITY_STEP = 64;

export class GrowingCaches {
  readonly #memory: DeviceMemory;
  readonly #shape: KvShape;
  /** Called before buffers move: whoever is bound to them has to let go. */
  readonly #onMove: () => void;
  #buffers: KvBuffers | null = null;

  constructor(memory: DeviceMemory, shape: KvShape, onMove: () => void) {
    this.#memory = memory;
    this.#shape = shape;
    this.#onMove = onMove;
  }

  reserve(rows: number, tokens: number): KvBuffers {
    const old = this.#buffers;
    if (old !== null && old.rows >= rows && old.capacity >= tokens) return old;
    this.#onMove();
    const capacity = Math.max(old?.capacity ?? 0, Math.ceil(tokens / CAPACITY_STEP) * CAPACITY_STEP);
    const grown = new KvBuffers(this.#memory, this.#shape, { rows: Math.max(rows, old?.rows ?? 0), capacity });
    if (old !== null) {
      grown.copyFrom(old);
      this.#memory.synchronize();
      old.free();
    }
    this.#buffers = grown;
    return grown;
  }
}
