/** Leaves out labels that another one makes pointless, and the least promising of too many. */
import type { Labels } from './labels.js';
import { Stairs } from './stairs.js';

/** Labels that a new one is compared with where more than two resources can run out. */
const MOST_COMPARED = 256;

export interface Pruned {
  readonly labels: Labels;
  /** The lowest bound of a label that was dropped though it might have won; Infinity: none was. */
  readonly dropped: number;
}

export function pruned(grown: Labels, resources: number, width: number): Pruned {
  const { bound, cost, state, use } = grown;
  const byPromise = (a: number, b: number): number => (bound[a] ?? 0) - (bound[b] ?? 0) || a - b;
  let order = new Int32Array(grown.size);
  for (let k = 0; k < order.length; k++) order[k] = k;
  let dropped = Infinity;
  if (order.length > 4 * width) {
    order.sort(byPromise);
    dropped = bound[order[4 * width] ?? 0] ?? Infinity;
    order = order.slice(0, 4 * width);
  }
  order.sort(
    (a, b) =>
      (state[a] ?? 0) - (state[b] ?? 0) ||
      (cost[a] ?? 0) - (cost[b] ?? 0) ||
      (use[a * resources] ?? 0) - (use[b * resources] ?? 0) ||
      a - b,
  );
  const survivors = new Int32Array(order.length);
  let size = 0;
  let groupStart = 0;
  let group = -1;
  let stairs: Stairs[] = [];
  for (const k of order) {
    if (state[k] !== group) {
      group = state[k] ?? 0;
      groupStart = size;
      stairs = [];
    }
    const pointless =
      resources <= 2 ? below(grown, resources, stairs, k) : dominated(grown, resources, survivors, groupStart, size, k);
    if (!pointless) survivors[size++] = k;
  }
  let kept = survivors.slice(0, size);
  if (size > width) {
    kept.sort(byPromise);
    dropped = Math.min(dropped, bound[kept[width] ?? 0] ?? Infinity);
    kept = kept.slice(0, width);
  }
  return { labels: grown.pick(kept), dropped };
}

/**
 * Survivors of a group come in order of cost, so only bytes remain to be compared: no more in use, and no more with the
 * peak. One flight of stairs holds survivors of the same peaks; a label that is below none of them is added.
 */
function below({ use, peak }: Labels, resources: number, stairs: Stairs[], k: number): boolean {
  const at = k * resources;
  const [use0, peak0] = [use[at] ?? 0, peak[at] ?? 0];
  const [use1, peak1] = resources > 1 ? [use[at + 1] ?? 0, peak[at + 1] ?? 0] : [0, 0];
  let own: Stairs | null = null;
  for (const flight of stairs) {
    if (flight.covers(use0 + Math.min(0, peak0 - flight.peak0), use1 + Math.min(0, peak1 - flight.peak1))) return true;
    if (flight.peak0 === peak0 && flight.peak1 === peak1) own = flight;
  }
  if (own === null) stairs.push((own = new Stairs(peak0, peak1)));
  own.add(use0, use1);
  return false;
}

function dominated(
  { use, peak }: Labels,
  resources: number,
  survivors: Int32Array,
  start: number,
  end: number,
  k: number,
): boolean {
  // Looking at the nearest ones only misses a few; a label kept in vain is no error.
  const last = Math.max(start, end - MOST_COMPARED);
  for (let s = end - 1; s >= last; s--) {
    const other = (survivors[s] ?? 0) * resources;
    let noWorse = true;
    for (let r = 0; r < resources && noWorse; r++) {
      const mine = use[k * resources + r] ?? 0;
      const theirs = use[other + r] ?? 0;
      noWorse = theirs <= mine && theirs + (peak[other + r] ?? 0) <= mine + (peak[k * resources + r] ?? 0);
    }
    if (noWorse) return true;
  }
  return false;
}
