/** The caches of one prompt after another: grown when rows or tokens ask for more, never shrunk. */
import type { LentRoom } from '../program/lent-room.js';
import { LayerCaches, type CacheShape } from './layer-caches.js';

/** Caches grow by this many tokens. */
const CAPACITY_STEP = 64;

export class GrowingCaches {
  readonly #shape: CacheShape;
  /** Called before buffers move: whoever is bound to them has to let go. */
  readonly #onMove: () => void;
  readonly #lent: LentRoom | null;
  #caches: LayerCaches | null = null;

  /** @param lent whom their memory is offered to */
  constructor(shape: CacheShape, onMove: () => void, lent: LentRoom | null = null) {
    this.#shape = shape;
    this.#onMove = onMove;
    this.#lent = lent;
  }

  /** @param step the capacity is a multiple of it */
  reserve(rows: number, tokens: number, step = CAPACITY_STEP): LayerCaches {
    const old = this.#caches;
    if (old !== null && old.rows >= rows && old.capacity >= tokens) return old;
    this.#onMove();
    this.#lent?.withdraw();
    const capacity = Math.max(old?.capacity ?? 0, Math.ceil(tokens / step) * step);
    const grown = new LayerCaches(this.#shape, { rows: Math.max(rows, old?.rows ?? 0), capacity });
    if (old !== null) grown.takeOver(old);
    this.#lent?.offer(grown.spans);
    this.#caches = grown;
    return grown;
  }
}
