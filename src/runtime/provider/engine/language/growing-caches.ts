/** The caches of one prompt after another: grown when rows or tokens ask for more, never shrunk. */
import { LayerCaches, type CacheShape } from './layer-caches.js';

/** Caches grow by this many tokens. */
const CAPACITY_STEP = 64;

export class GrowingCaches {
  readonly #shape: CacheShape;
  /** Called before buffers move: whoever is bound to them has to let go. */
  readonly #onMove: () => void;
  #caches: LayerCaches | null = null;

  constructor(shape: CacheShape, onMove: () => void) {
    this.#shape = shape;
    this.#onMove = onMove;
  }

  reserve(rows: number, tokens: number): LayerCaches {
    const old = this.#caches;
    if (old !== null && old.rows >= rows && old.capacity >= tokens) return old;
    this.#onMove();
    const capacity = Math.max(old?.capacity ?? 0, Math.ceil(tokens / CAPACITY_STEP) * CAPACITY_STEP);
    const grown = new LayerCaches(this.#shape, { rows: Math.max(rows, old?.rows ?? 0), capacity });
    if (old !== null) grown.takeOver(old);
    this.#caches = grown;
    return grown;
  }
}
