/**
 * Local search: improves a placement that fits by small changes; a stretch of items moves to another place, two items change places. A
 * search that decides item by item fills the first devices too well and notices too late; this mends that.
 */
import { at } from '../../checked-access.js';
import { numberAt, realAt, wholeAt } from './number-at.js';
import { costOf, type Problem, type Solution } from './problem.js';
import { scarceResources } from './resources.js';

/** Lengths of the stretches that are moved. */
const STRETCHES = [1, 2, 3, 4, 6, 8, 12, 16];
const MOST_SWEEPS = 8;
/** Sweeps end when they gain less than this fraction. */
const LEAST_GAIN = 1e-6;

export function localSearch(problem: Problem, solution: Solution, stop: () => boolean): Solution {
  const { items, places } = problem;
  const scarce = scarceResources(problem);
  const resources = scarce.length;
  const bytesOf = (rows: readonly (readonly number[])[]): number[] =>
    rows.flatMap((row) => scarce.map((r) => at(row, r)));
  const capacities = Float64Array.from(scarce, (r) => at(problem.capacities, r));
  const uses = Float64Array.from(items.flatMap((item) => bytesOf(item.use)));
  const peaks = Float64Array.from(items.flatMap((item) => bytesOf(item.peak)));
  /** For every item, all the items that share its place. */
  const sharers: number[][] = [];
  /** For every item, itself and those that have it as an input. */
  const readers = items.map((_, i) => [i]);
  for (const [i, { sameAs, inputs }] of items.entries()) {
    sharers.push(sameAs === null ? [] : at(sharers, sameAs));
    at(sharers, i).push(i);
    for (const { from } of inputs) at(readers, from).push(i);
  }
  let best = solution;
  const choice = Int32Array.from(solution.choice);
  /** Items on trial, and per item the place that it came from, or may go to. */
  const moved: number[] = [];
  const other = new Int32Array(items.length).fill(-1);
  const use = new Float64Array(resources);

  const addUse = (i: number, place: number, sign: number): void => {
    const first = (i * places + place) * resources;
    for (let r = 0; r < resources; r++) use[r] = realAt(use, r) + sign * realAt(uses, first + r);
  };
  for (const [i, place] of choice.entries()) addUse(i, place, 1);
  const hasRoom = (i: number, place: number): boolean => {
    const first = (i * places + place) * resources;
    for (let r = 0; r < resources; r++)
      if (realAt(use, r) + realAt(peaks, first + r) > realAt(capacities, r)) return false;
    return true;
  };
  /** What an item costs, and those that have it as an input. */
  const costAround = (i: number): number => {
    let cost = 0;
    for (const reader of at(readers, i)) {
      const item = at(items, reader);
      const own = wholeAt(choice, reader);
      cost += numberAt(item.cost, own);
      for (const { from, cost: crossing } of item.inputs) cost += numberAt(at(crossing, wholeAt(choice, from)), own);
    }
    return cost;
  };
  /** Has the items on trial change places with where they may go, and returns what is gained by it. */
  const swap = (): number => {
    let gain = 0;
    for (const i of moved) {
      const place = wholeAt(other, i);
      gain += costAround(i);
      other[i] = wholeAt(choice, i);
      choice[i] = place;
      gain -= costAround(i);
    }
    return gain;
  };
  /** Puts an item on trial, and all that share its place. */
  const move = (item: number, place: number): void => {
    if (wholeAt(choice, item) === place) return;
    for (const i of at(sharers, item)) {
      if (wholeAt(other, i) >= 0) continue;
      moved.push(i);
      other[i] = place;
      addUse(i, wholeAt(choice, i), -1);
      addUse(i, place, 1);
    }
  };
  /** Ends the trial: what fits and is better stays, most of which is found out before anything dear is computed. */
  const settle = (): void => {
    let isBetter = false;
    if (moved.length > 0 && moved.every((i) => hasRoom(i, wholeAt(other, i)))) {
      const cost = swap() > 0 ? costOf(problem, Array.from(choice)) : Infinity;
      isBetter = cost < best.cost;
      if (isBetter) best = { choice: Array.from(choice), cost };
      else swap();
    }
    for (const i of moved) {
      if (!isBetter) {
        addUse(i, wholeAt(other, i), -1);
        addUse(i, wholeAt(choice, i), 1);
      }
      other[i] = -1;
    }
    moved.length = 0;
  };

  for (let sweep = 0; sweep < MOST_SWEEPS && !stop(); sweep++) {
    const before = best.cost;
    for (const i of items.keys()) {
      for (const length of STRETCHES) {
        if (i + length > items.length) break;
        for (let p = 0; p < places; p++) {
          for (let k = i; k < i + length; k++) move(k, p);
          settle();
        }
      }
    }
    for (const i of items.keys()) {
      for (let k = i + 1; k < items.length; k++) {
        const [a, b] = [wholeAt(choice, i), wholeAt(choice, k)];
        if (a === b) continue;
        move(i, b);
        move(k, a);
        settle();
      }
    }
    if (before - best.cost <= LEAST_GAIN * before) break;
  }
  return best;
}
