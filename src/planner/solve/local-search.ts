/**
 * Local search: improves a placement that fits by small changes; a stretch of items moves to another place, two items change places. A
 * search that decides item by item fills the first devices too well and notices too late; this mends that.
 */
import { at } from '../../checked-access.js';
import { numberAt, realAt } from './number-at.js';
import { costOf, type Problem, type Solution } from './problem.js';

/** Lengths of the stretches that are moved. */
const STRETCHES = [1, 2, 3, 4, 6, 8, 12, 16];
const MOST_SWEEPS = 8;
/** Sweeps end when they gain less than this fraction. */
const LEAST_GAIN = 1e-6;

export function localSearch(problem: Problem, solution: Solution, stop: () => boolean): Solution {
  let best = solution;
  const groups = bonded(problem);
  for (let sweep = 0; sweep < MOST_SWEEPS && !stop(); sweep++) {
    const before = best.cost;
    const trial = new Trial(problem, groups, best);
    trial.moveStretches();
    trial.swapItems();
    best = trial.best;
    if (before - best.cost <= LEAST_GAIN * before) break;
  }
  return best;
}

/** For every item, all the items that share its place. */
function bonded({ items }: Problem): readonly (readonly number[])[] {
  const groups: number[][] = [];
  for (const [i, { sameAs }] of items.entries()) {
    const group = sameAs === null ? [] : at(groups, sameAs);
    group.push(i);
    groups.push(group);
  }
  return groups;
}

class Trial {
  best: Solution;
  private readonly problem: Problem;
  private readonly groups: readonly (readonly number[])[];
  private readonly choice: number[];
  private readonly use: Float64Array;
  /** Per item, the items that have it as an input. */
  private readonly readers: readonly (readonly number[])[];

  constructor(problem: Problem, groups: readonly (readonly number[])[], start: Solution) {
    this.problem = problem;
    this.groups = groups;
    this.best = start;
    this.choice = [...start.choice];
    const readers = problem.items.map((): number[] => []);
    for (const [i, item] of problem.items.entries()) for (const { from } of item.inputs) at(readers, from).push(i);
    this.readers = readers;
    this.use = new Float64Array(problem.capacities.length);
    for (const [i, item] of problem.items.entries()) {
      for (let r = 0; r < this.use.length; r++) {
        this.use[r] = realAt(this.use, r) + numberAt(at(item.use, numberAt(this.choice, i)), r);
      }
    }
  }

  moveStretches(): void {
    const { items, places } = this.problem;
    for (let i = 0; i < items.length; i++) {
      for (const length of STRETCHES) {
        if (i + length > items.length) break;
        for (let p = 0; p < places; p++) {
          const changes: [number, number][] = [];
          for (let k = i; k < i + length; k++) if (numberAt(this.choice, k) !== p) changes.push([k, p]);
          if (changes.length > 0) this.attempt(changes);
        }
      }
    }
  }

  swapItems(): void {
    const { items } = this.problem;
    for (let i = 0; i < items.length; i++) {
      for (let k = i + 1; k < items.length; k++) {
        const a = numberAt(this.choice, i);
        const b = numberAt(this.choice, k);
        if (a === b) continue;
        this.attempt([
          [i, b],
          [k, a],
        ]);
      }
    }
  }

  /** Keeps the changes if they fit and save something. */
  private attempt(changes: readonly (readonly [number, number])[]): void {
    const { capacities } = this.problem;
    const touched = this.touchedBy(changes);
    const before = this.costAround(touched);
    const undo: [number, number][] = [];
    for (const [leader, to] of changes) {
      for (const i of at(this.groups, leader)) {
        const from = numberAt(this.choice, i);
        if (from === to) continue;
        undo.push([i, from]);
        this.place(i, to);
      }
    }
    // Most changes fail here, before anything dear is computed.
    const promising = this.use.every((use, r) => use <= numberAt(capacities, r)) && this.costAround(touched) < before;
    const cost = promising ? costOf(this.problem, this.choice) : Infinity;
    if (cost < this.best.cost) this.best = { choice: [...this.choice], cost };
    else for (const [i, from] of undo.toReversed()) this.place(i, from);
  }

  /** The items whose costs or inputs the changes alter. */
  private touchedBy(changes: readonly (readonly [number, number])[]): ReadonlySet<number> {
    const touched = new Set<number>();
    for (const [leader] of changes) {
      for (const i of at(this.groups, leader)) {
        touched.add(i);
        for (const reader of at(this.readers, i)) touched.add(reader);
      }
    }
    return touched;
  }

  private costAround(touched: ReadonlySet<number>): number {
    const { items } = this.problem;
    let cost = 0;
    for (const i of touched) {
      const own = numberAt(this.choice, i);
      const item = at(items, i);
      cost += numberAt(item.cost, own);
      for (const input of item.inputs) cost += numberAt(at(input.cost, numberAt(this.choice, input.from)), own);
    }
    return cost;
  }

  private place(i: number, to: number): void {
    const { use } = at(this.problem.items, i);
    const [before, after] = [at(use, numberAt(this.choice, i)), at(use, to)];
    for (let r = 0; r < this.use.length; r++)
      this.use[r] = realAt(this.use, r) - numberAt(before, r) + numberAt(after, r);
    this.choice[i] = to;
  }
}
