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

  /** Whether a label leaves as much room as another that costs no less: it has no more in use, and no more with the peak. */
  dominates(label: number, dearer: number): boolean {
    const { records, resources, length } = this;
    const [mine, theirs] = [label * length + USE, dearer * length + USE];
    for (let r = 0; r < resources; r++) {
      const own = realAt(records, mine + r);
      const other = realAt(records, theirs + r);
      if (own > other || own + realAt(records, mine + resources + r) > other + realAt(records, theirs + resources + r))
        return false;
    }
    return true;
  }
}

/** Labels that a new one is compared with. */
const MOST_COMPARED = 256;

export interface Pruned {
  readonly labels: Labels;
  /** The lowest bound of a label that was dropped though it might have won; Infinity: none was. */
  readonly dropped: number;
}

/** Leaves out labels that another one dominates, and the least promising of too many. */
export function pruned(grown: Labels, resources: number, width: number): Pruned {
  let dropped = Infinity;
  const mostPromising = (order: Int32Array, most: number): Int32Array => {
    if (order.length <= most) return order;
    order.sort((a, b) => grown.get(a, BOUND) - grown.get(b, BOUND) || a - b);
    dropped = Math.min(dropped, grown.get(wholeAt(order, most), BOUND));
    return order.slice(0, most);
  };
  const first = resources > 0 ? USE : COST;
  const order = mostPromising(
    Int32Array.from({ length: grown.size }, (_, k) => k),
    4 * width,
  ).sort(
    (a, b) =>
      grown.get(a, STATE) - grown.get(b, STATE) ||
      grown.get(a, COST) - grown.get(b, COST) ||
      grown.get(a, first) - grown.get(b, first) ||
      a - b,
  );
  const survivors = new Int32Array(order.length);
  let size = 0;
  let groupStart = 0;
  for (let n = 0; n < order.length; n++) {
    const k = wholeAt(order, n);
    if (n > 0 && grown.get(k, STATE) !== grown.get(wholeAt(order, n - 1), STATE)) groupStart = size;
    // Looking at the nearest ones only misses a few; a label kept in vain is no error.
    const start = Math.max(groupStart, size - MOST_COMPARED);
    let isDominated = false;
    for (let s = size - 1; s >= start && !isDominated; s--) isDominated = grown.dominates(wholeAt(survivors, s), k);
    if (!isDominated) survivors[size++] = k;
  }
  return { labels: grown.pick(mostPromising(survivors.slice(0, size), width)), dropped };
}
