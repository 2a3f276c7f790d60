/** Labels of one item, side by side: what has been decided so far, and what it costs at least to finish. */
import { realAt, wholeAt } from './number-at.js';
export class Labels {
  size = 0;
  cost: Float64Array;
  bound: Float64Array;
  /** Of states that are alike, the first. */
  state: Int32Array;
  /** Where the item itself goes. */
  place: Int32Array;
  /** Index among the labels of the item before. */
  parent: Int32Array;
  /** Bytes that add up: `[label * resources + resource]`. */
  use: Float64Array;
  /** The largest bytes that count only while an item runs. */
  peak: Float64Array;
  private readonly resources: number;

  constructor(resources: number, length = FIRST_SIZE) {
    this.resources = resources;
    this.cost = new Float64Array(length);
    this.bound = new Float64Array(length);
    this.state = new Int32Array(length);
    this.place = new Int32Array(length);
    this.parent = new Int32Array(length);
    this.use = new Float64Array(length * resources);
    this.peak = new Float64Array(length * resources);
  }

  /** Makes room for one more label and returns its index, which counts only once `size` says so. */
  next(): number {
    if (this.size === this.cost.length) this.resize(2 * this.size);
    return this.size;
  }

  /** A copy of some of the labels. */
  pick(order: Int32Array): Labels {
    const { resources } = this;
    const picked = new Labels(resources, order.length);
    picked.size = order.length;
    for (let to = 0; to < order.length; to++) {
      const k = wholeAt(order, to);
      picked.cost[to] = realAt(this.cost, k);
      picked.bound[to] = realAt(this.bound, k);
      picked.state[to] = wholeAt(this.state, k);
      picked.place[to] = wholeAt(this.place, k);
      picked.parent[to] = wholeAt(this.parent, k);
      for (let r = 0; r < resources; r++) {
        picked.use[to * resources + r] = realAt(this.use, k * resources + r);
        picked.peak[to * resources + r] = realAt(this.peak, k * resources + r);
      }
    }
    return picked;
  }

  private resize(length: number): void {
    this.cost = resized(this.cost, new Float64Array(length));
    this.bound = resized(this.bound, new Float64Array(length));
    this.state = resized(this.state, new Int32Array(length));
    this.place = resized(this.place, new Int32Array(length));
    this.parent = resized(this.parent, new Int32Array(length));
    this.use = resized(this.use, new Float64Array(length * this.resources));
    this.peak = resized(this.peak, new Float64Array(length * this.resources));
  }
}

const FIRST_SIZE = 32;

function resized<T extends Float64Array | Int32Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
