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
  let best = solution;
  const trial = trialOf(problem, solution.choice);
  const { choice, move } = trial;
  const settle = (): void => {
    const cost = trial.make() ? costOf(problem, Array.from(choice)) : Infinity;
    const isBetter = cost < best.cost;
    if (isBetter) best = { choice: Array.from(choice), cost };
    trial.end(isBetter);
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

/** A placement whose items are moved on trial: moves are asked for, judged together, and kept or undone. */
function trialOf(problem: Problem, start: readonly number[]) {
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
  const choice = Int32Array.from(start);
  const use = new Float64Array(resources);
  const moved = new Int32Array(items.length);
  const [sources, targets] = [moved.slice(), moved.slice()];
  const [isMoved, isCounted] = [moved.slice(), moved.slice()];
  let moves = 0;

  const addUse = (i: number, place: number, sign: number): void => {
    const first = (i * places + place) * resources;
    for (let r = 0; r < resources; r++) use[r] = realAt(use, r) + sign * realAt(uses, first + r);
  };
  for (const [i, place] of choice.entries()) addUse(i, place, 1);

  /** Whether bytes in use leave room for the peak of every item that is on trial, or of every one. */
  const hasRoom = (count: number, itemOf: (k: number) => number, placeOf: (k: number) => number): boolean => {
    for (let k = 0; k < count; k++) {
      const first = (itemOf(k) * places + placeOf(k)) * resources;
      for (let r = 0; r < resources; r++) {
        if (realAt(use, r) + realAt(peaks, first + r) > realAt(capacities, r)) return false;
      }
    }
    return true;
  };
  /** What the items on trial cost, and those that have them as an input. */
  const costAround = (): number => {
    let cost = 0;
    for (let k = 0; k < moves; k++) {
      for (const i of at(readers, wholeAt(moved, k))) {
        if (wholeAt(isCounted, i) === 1) continue;
        isCounted[i] = 1;
        const item = at(items, i);
        const own = wholeAt(choice, i);
        cost += numberAt(item.cost, own);
        for (const { from, cost: crossing } of item.inputs) cost += numberAt(at(crossing, wholeAt(choice, from)), own);
      }
    }
    for (let k = 0; k < moves; k++) for (const i of at(readers, wholeAt(moved, k))) isCounted[i] = 0;
    return cost;
  };
  const put = (to: Int32Array): void => {
    for (let k = 0; k < moves; k++) choice[wholeAt(moved, k)] = wholeAt(to, k);
  };

  return {
    choice,
    /** Asks for the move of an item and of all that share its place. */
    move: (item: number, place: number): void => {
      if (wholeAt(choice, item) === place) return;
      for (const i of at(sharers, item)) {
        if (wholeAt(isMoved, i) === 1) continue;
        isMoved[i] = 1;
        moved[moves] = i;
        sources[moves] = wholeAt(choice, i);
        targets[moves++] = place;
        addUse(i, wholeAt(choice, i), -1);
        addUse(i, place, 1);
      }
    },
    /** Makes the moves; false where they do not fit or save nothing, most of which is found out before anything dear is computed. */
    make: (): boolean => {
      const onTrial = hasRoom(
        moves,
        (k) => wholeAt(moved, k),
        (k) => wholeAt(targets, k),
      );
      if (moves === 0 || !onTrial) return false;
      const before = costAround();
      put(targets);
      return (
        costAround() < before &&
        hasRoom(
          items.length,
          (i) => i,
          (i) => wholeAt(choice, i),
        )
      );
    },
    /** Ends the trial, with the moves or without them. */
    end: (isKept: boolean): void => {
      if (!isKept) {
        put(sources);
        for (let k = 0; k < moves; k++) {
          addUse(wholeAt(moved, k), wholeAt(targets, k), -1);
          addUse(wholeAt(moved, k), wholeAt(sources, k), 1);
        }
      }
      for (let k = 0; k < moves; k++) isMoved[wholeAt(moved, k)] = 0;
      moves = 0;
    },
  };
}
