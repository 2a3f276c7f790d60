/** Leaves out labels that another one dominates, and the least promising of too many. */
import { realAt, wholeAt } from './number-at.js';
import type { Labels } from './labels.js';

/** Labels that a new one is compared with. */
const MOST_COMPARED = 256;

export interface Pruned {
  readonly labels: Labels;
  /** The lowest bound of a label that was dropped though it might have won; Infinity: none was. */
  readonly dropped: number;
}

export function pruned(grown: Labels, resources: number, width: number): Pruned {
  const { bound, cost, state, use } = grown;
  const byBound = (a: number, b: number): number => realAt(bound, a) - realAt(bound, b) || a - b;
  let order = new Int32Array(grown.size);
  for (let k = 0; k < order.length; k++) order[k] = k;
  let dropped = Infinity;
  if (order.length > 4 * width) {
    order.sort(byBound);
    dropped = realAt(bound, wholeAt(order, 4 * width));
    order = order.slice(0, 4 * width);
  }
  order.sort(
    (a, b) =>
      wholeAt(state, a) - wholeAt(state, b) ||
      realAt(cost, a) - realAt(cost, b) ||
      (resources > 0 ? realAt(use, a * resources) - realAt(use, b * resources) : 0) ||
      a - b,
  );
  const survivors = new Int32Array(order.length);
  let size = 0;
  let groupStart = 0;
  let group = -1;
  for (const k of order) {
    if (wholeAt(state, k) !== group) {
      group = wholeAt(state, k);
      groupStart = size;
    }
    if (!isDominated(grown, resources, survivors.subarray(groupStart, size), k)) survivors[size++] = k;
  }
  let kept = survivors.slice(0, size);
  if (size > width) {
    kept.sort(byBound);
    dropped = Math.min(dropped, realAt(bound, wholeAt(kept, width)));
    kept = kept.slice(0, width);
  }
  return { labels: grown.pick(kept), dropped };
}

/** Whether one of the survivors, which come in order of cost, uses no more, and no more with the peak. */
function isDominated({ use, peak }: Labels, resources: number, others: Int32Array, k: number): boolean {
  // Looking at the nearest ones only misses a few; a label kept in vain is no error.
  const last = Math.max(0, others.length - MOST_COMPARED);
  for (let s = others.length - 1; s >= last; s--) {
    const other = wholeAt(others, s) * resources;
    let noWorse = true;
    for (let r = 0; r < resources && noWorse; r++) {
      const mine = realAt(use, k * resources + r);
      const theirs = realAt(use, other + r);
      noWorse = theirs <= mine && theirs + realAt(peak, other + r) <= mine + realAt(peak, k * resources + r);
    }
    if (noWorse) return true;
  }
  return false;
}
