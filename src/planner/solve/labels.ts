/** Labels of one item: what has been decided so far, and what it costs at least to finish. */
import { realAt, wholeAt } from './number-at.js';

/** Where a label's numbers stand in its record. */
export const COST = 0;
export const BOUND = 1;
/** Of states that are alike, the first. */
export const STATE = 2;
/** Where the item itself goes. */
export const PLACE = 3;
/** Index among the labels of the item before. */
export const PARENT = 4;
/** Bytes that add up, per resource; after them the largest bytes that count only while an item runs, likewise. */
export const USE = 5;

export class Labels {
  size = 0;
  private readonly resources: number;
  /** Numbers of a record. */
  private readonly length: number;
  /** Record after record. */
  private records: Float64Array;

  constructor(resources: number, room = 32) {
    this.resources = resources;
    this.length = USE + 2 * resources;
    this.records = new Float64Array(room * this.length);
  }

  get(label: number, field: number): number {
    return realAt(this.records, label * this.length + field);
  }

  add(record: Float64Array): void {
    const start = this.size * this.length;
    if (start === this.records.length) {
      const before = this.records;
      this.records = new Float64Array(2 * start);
      this.records.set(before);
    }
    this.records.set(record, start);
    this.size += 1;
  }

  /** A copy of some of the labels. */
  pick(order: Int32Array): Labels {
    const { length, records } = this;
    const picked = new Labels(this.resources, order.length);
    picked.size = order.length;
    for (let to = 0; to < order.length; to++) {
      const from = wholeAt(order, to) * length;
      for (let k = 0; k < length; k++) picked.records[to * length + k] = realAt(records, from + k);
    }
    return picked;
  }

  /** Writes what a label leaves no room for, per resource: its bytes in use, and the same with its peak. */
  writeTaken(label: number, into: Float64Array, start: number): void {
    const { records, resources, length } = this;
    const own = label * length + USE;
    for (let r = 0; r < resources; r++) {
      const use = realAt(records, own + r);
      into[start + 2 * r] = use;
      into[start + 2 * r + 1] = use + realAt(records, own + resources + r);
    }
  }
}

/** Whether some of the records of `width` numbers from `start` to `end` are nowhere larger than the one at `end`. */
function isDominated(taken: Float64Array, start: number, end: number, width: number): boolean {
  for (let other = end - width; other >= start; other -= width) {
    let k = 0;
    while (k < width && realAt(taken, other + k) <= realAt(taken, end + k)) k += 1;
    if (k === width) return true;
  }
  return false;
}

/** Labels that a new one is compared with. */
const MOST_COMPARED = 256;

export interface Pruned {
  readonly labels: Labels;
  /** The lowest bound of a label that was dropped though it might have won; Infinity: none was. */
  readonly dropped: number;
}

/** Leaves out labels that another one dominates, and of more than `most` the least promising. */
export function pruned(grown: Labels, resources: number, most: number): Pruned {
  let dropped = Infinity;
  const mostPromising = (order: Int32Array, limit: number): Int32Array => {
    if (order.length <= limit) return order;
    order.sort((a, b) => grown.get(a, BOUND) - grown.get(b, BOUND) || a - b);
    dropped = Math.min(dropped, grown.get(wholeAt(order, limit), BOUND));
    return order.slice(0, limit);
  };
  const first = resources > 0 ? USE : COST;
  const order = mostPromising(
    Int32Array.from({ length: grown.size }, (_, k) => k),
    4 * most,
  ).sort(
    (a, b) =>
      grown.get(a, STATE) - grown.get(b, STATE) ||
      grown.get(a, COST) - grown.get(b, COST) ||
      grown.get(a, first) - grown.get(b, first) ||
      a - b,
  );
  const survivors = new Int32Array(order.length);
  const width = 2 * resources;
  // Of the survivors, side by side, and of the label that is looked at after them.
  const taken = new Float64Array((order.length + 1) * width);
  let size = 0;
  let groupStart = 0;
  for (let n = 0; n < order.length; n++) {
    const k = wholeAt(order, n);
    if (n > 0 && grown.get(k, STATE) !== grown.get(wholeAt(order, n - 1), STATE)) groupStart = size;
    // Looking at the nearest ones only misses a few; a label kept in vain is no error.
    const start = Math.max(groupStart, size - MOST_COMPARED);
    grown.writeTaken(k, taken, size * width);
    const isBeaten = width === 0 ? size > start : isDominated(taken, start * width, size * width, width);
    if (!isBeaten) survivors[size++] = k;
  }
  return { labels: grown.pick(mostPromising(survivors.slice(0, size), most)), dropped };
}
