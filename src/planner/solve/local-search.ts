/**
 * Local search: improves a placement that fits by small changes; a stretch of items moves to another place, two items change places. A
 * search that decides item by item fills the first devices too well and notices too late; this mends that.
 */
import { at } from '../../checked-access.js';
import { numberAt } from './number-at.js';
import { costOf, type Problem, type Solution } from './problem.js';

/** Lengths of the stretches that are moved. */
const STRETCHES = [1, 2, 3, 4, 6, 8, 12, 16];
const MOST_SWEEPS = 8;
/** Sweeps end when they gain less than this fraction. */
const LEAST_GAIN = 1e-6;

type Change = readonly [item: number, place: number];

export function localSearch(problem: Problem, solution: Solution, stop: () => boolean): Solution {
  const { items, places, capacities } = problem;
  let best = solution;
  const choice = [...solution.choice];
  const placeOf = (i: number): number => numberAt(choice, i);
  const use = capacities.map((_, r) => items.reduce((sum, item, i) => sum + numberAt(at(item.use, placeOf(i)), r), 0));
  /** For every item, all the items that share its place. */
  const groups: number[][] = [];
  /** For every item, itself and those that have it as an input. */
  const readers = items.map((_, i) => [i]);
  for (const [i, { sameAs, inputs }] of items.entries()) {
    groups.push(sameAs === null ? [] : at(groups, sameAs));
    at(groups, i).push(i);
    for (const { from } of inputs) at(readers, from).push(i);
  }

  const costAround = (touched: ReadonlySet<number>): number => {
    let cost = 0;
    for (const i of touched) {
      const own = placeOf(i);
      const item = at(items, i);
      cost += numberAt(item.cost, own);
      for (const input of item.inputs) cost += numberAt(at(input.cost, placeOf(input.from)), own);
    }
    return cost;
  };
  const apply = (changes: readonly Change[]): void => {
    for (const [i, to] of changes) {
      const bytes = at(items, i).use;
      const [before, after] = [at(bytes, placeOf(i)), at(bytes, to)];
      for (const r of use.keys()) use[r] = numberAt(use, r) - numberAt(before, r) + numberAt(after, r);
      choice[i] = to;
    }
  };
  /** Keeps the changes if they fit and save something. */
  const attempt = (asked: readonly Change[]): void => {
    const changes: Change[] = [];
    for (const [leader, to] of asked) {
      if (placeOf(leader) !== to) for (const i of at(groups, leader)) changes.push([i, to]);
    }
    if (changes.length === 0) return;
    const touched = new Set<number>();
    for (const [i] of changes) for (const reader of at(readers, i)) touched.add(reader);
    const undo = changes.map(([i]): Change => [i, placeOf(i)]);
    const before = costAround(touched);
    apply(changes);
    // Most changes fail here, before anything dear is computed.
    const promising = use.every((own, r) => own <= numberAt(capacities, r)) && costAround(touched) < before;
    const cost = promising ? costOf(problem, choice) : Infinity;
    if (cost < best.cost) best = { choice: [...choice], cost };
    else apply(undo);
  };

  for (let sweep = 0; sweep < MOST_SWEEPS && !stop(); sweep++) {
    const before = best.cost;
    for (const i of items.keys()) {
      for (const length of STRETCHES.filter((own) => i + own <= items.length)) {
        const stretch = Array.from({ length }, (_, k) => i + k);
        for (let p = 0; p < places; p++) attempt(stretch.map((k): Change => [k, p]));
      }
    }
    for (const i of items.keys()) {
      for (let k = i + 1; k < items.length; k++) {
        const [a, b] = [placeOf(i), placeOf(k)];
        const swap = [[i, b] as const, [k, a] as const];
        if (a !== b) attempt(swap);
      }
    }
    if (before - best.cost <= LEAST_GAIN * before) break;
  }
  return best;
}
