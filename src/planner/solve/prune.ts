/** Leaves out labels that another one dominates, and the least promising of too many. */
import { realAt, wholeAt } from './number-at.js';
import type { Labels } from './labels.js';
import { ParetoFront } from './pareto-front.js';

/** Labels that a new one is compared with where more than two resources can run out. */
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
  let fronts: ParetoFront[] = [];
  for (const k of order) {
    if (wholeAt(state, k) !== group) {
      group = wholeAt(state, k);
      groupStart = size;
      fronts = [];
    }
    const isDominated =
      resources <= 2
        ? dominatedByFronts(grown, resources, fronts, k)
        : dominatedByLabels(grown, resources, survivors.subarray(groupStart, size), k);
    if (!isDominated) survivors[size++] = k;
  }
  let kept = survivors.slice(0, size);
  if (size > width) {
    kept.sort(byBound);
    dropped = Math.min(dropped, realAt(bound, wholeAt(kept, width)));
    kept = kept.slice(0, width);
  }
  return { labels: grown.pick(kept), dropped };
}

/**
 * Survivors of a group come in order of cost, so only bytes remain to be compared: no more in use, and no more with the
 * peak. One front holds survivors of the same peaks; a label that none of them dominates is added.
 */
function dominatedByFronts({ use, peak }: Labels, resources: number, fronts: ParetoFront[], k: number): boolean {
  const first = k * resources;
  const use0 = resources > 0 ? realAt(use, first) : 0;
  const peak0 = resources > 0 ? realAt(peak, first) : 0;
  const use1 = resources > 1 ? realAt(use, first + 1) : 0;
  const peak1 = resources > 1 ? realAt(peak, first + 1) : 0;
  let own: ParetoFront | null = null;
  for (const front of fronts) {
    if (front.dominates(use0 + Math.min(0, peak0 - front.peak0), use1 + Math.min(0, peak1 - front.peak1))) return true;
    if (front.peak0 === peak0 && front.peak1 === peak1) own = front;
  }
  if (own === null) fronts.push((own = new ParetoFront(peak0, peak1)));
  own.add(use0, use1);
  return false;
}

function dominatedByLabels({ use, peak }: Labels, resources: number, others: Int32Array, k: number): boolean {
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
