/** Labels of one item: what has been decided so far, and what it costs at least to finish. */
import { realAt, wholeAt } from './number-at.js';

/** Where a label's numbers stand in its record. */
export const COST = 0;
export const BOUND = 1;
export const STATE = 2;
/** Where the item itself goes. */
export const PLACE = 3;
/** Index among the labels of the item before. */
export const PARENT = 4;
/** Two numbers a resource, which a label leaves no room for: bytes that add up, and the same with the largest that count only while an item runs. */
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
    const picked = new Labels(this.resources, order.length);
    picked.size = order.length;
    for (let to = 0; to < order.length; to++) picked.copy(this, wholeAt(order, to), to);
    return picked;
  }

  /** Overwrites a label with one of these or of others. */
  copy(others: Labels, from: number, to: number): void {
    const { length, records } = this;
    for (let k = 0; k < length; k++) records[to * length + k] = realAt(others.records, from * length + k);
  }

  /** Whether one of the labels from `start` to `end` takes no more of anything than another. */
  isBeaten(label: number, start: number, end: number): boolean {
    const { length, records } = this;
    const own = label * length;
    for (let other = (end - 1) * length; other >= start * length; other -= length) {
      let k = USE;
      while (k < length && realAt(records, other + k) <= realAt(records, own + k)) k += 1;
      if (k === length) return true;
    }
    return false;
  }
}

/** Labels that a new one is compared with. */
const MOST_COMPARED = 256;

export interface Pruned {
  readonly labels: Labels;
  /** The lowest bound of a label that was dropped though it might have won; Infinity: none was. */
  readonly dropped: number;
}

/** Leaves out labels that another one dominates, and of more than `most` the least promising. */
export function pruned(grown: Labels, most: number): Pruned {
  let dropped = Infinity;
  const mostPromising = (labels: Labels, limit: number): Int32Array => {
    const order = Int32Array.from({ length: labels.size }, (_, k) => k);
    if (order.length <= limit) return order;
    order.sort((a, b) => labels.get(a, BOUND) - labels.get(b, BOUND) || a - b);
    dropped = Math.min(dropped, labels.get(wholeAt(order, limit), BOUND));
    return order.slice(0, limit);
  };
  const order = mostPromising(grown, 4 * most).sort(
    (a, b) =>
      grown.get(a, STATE) - grown.get(b, STATE) ||
      grown.get(a, COST) - grown.get(b, COST) ||
      grown.get(a, USE) - grown.get(b, USE) ||
      a - b,
  );
  // Survivors move to the front.
  const labels = grown.pick(order);
  let size = 0;
  let groupStart = 0;
  for (let k = 0; k < labels.size; k++) {
    if (k > 0 && labels.get(k, STATE) !== labels.get(k - 1, STATE)) groupStart = size;
    // Looking at the nearest ones only misses a few; a label kept in vain is no error.
    if (!labels.isBeaten(k, Math.max(groupStart, size - MOST_COMPARED), size)) labels.copy(labels, k, size++);
  }
  labels.size = size;
  return { labels: labels.pick(mostPromising(labels, most)), dropped };
}
