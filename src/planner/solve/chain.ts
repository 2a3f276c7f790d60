/**
 * A problem laid out for speed. A state after item i is its place, and the places of those earlier items that a later one
 * still refers to.
 */
import type { Item, Problem } from './problem.js';

export interface Chain {
  readonly items: number;
  readonly places: number;
  readonly resources: number;
  /** Capacities of the resources that can run out; the others are left out. */
  readonly capacities: Float64Array;
  /** Index in the problem of each resource kept. */
  readonly kept: readonly number[];
  readonly cost: Float64Array;
  /** `[(item * places + place) * resources + resource]`. */
  readonly use: Float64Array;
  readonly peak: Float64Array;
  readonly stages: readonly Stage[];
  /** Where the states after each item begin in a list of all states; the last entry is the length of that list. */
  readonly stageStart: Int32Array;
}

export interface Stage {
  readonly states: number;
  /** `[state * places + next place]` -> state after the next item, or -1 where the rules forbid it. */
  readonly next: Int32Array;
  /** Transition cost of that step. */
  readonly step: Float64Array;
}

export function layOut(problem: Problem): Chain {
  const { items, places } = problem;
  const kept = problem.capacities.flatMap((capacity, r) => (canRunOut(problem, r, capacity) ? [r] : []));
  const resources = kept.length;
  const cost = new Float64Array(items.length * places);
  const use = new Float64Array(items.length * places * resources);
  const peak = new Float64Array(items.length * places * resources);
  for (const [i, item] of items.entries()) {
    // What a bond's later members cost and use is known with the first, and counted there: bounds see it earlier.
    const payer = item.sameAs === null ? i : leaderOf(items, item.sameAs);
    for (let p = 0; p < places; p++) {
      const own = item.cost[p] ?? Infinity;
      cost[payer * places + p] = (cost[payer * places + p] ?? 0) + own;
      for (const [k, r] of kept.entries()) {
        const at = (payer * places + p) * resources + k;
        use[at] = (use[at] ?? 0) + (item.use[p]?.[r] ?? 0);
        peak[(i * places + p) * resources + k] = item.peak[p]?.[r] ?? 0;
      }
    }
  }
  const stages = layOutStages(problem);
  const stageStart = new Int32Array(items.length + 1);
  for (let i = 0; i < items.length; i++) stageStart[i + 1] = (stageStart[i] ?? 0) + (stages[i]?.states ?? places);
  return {
    items: items.length,
    places,
    resources,
    capacities: Float64Array.from(kept, (r) => problem.capacities[r] ?? 0),
    kept,
    cost,
    use,
    peak,
    stages,
    stageStart,
  };
}

function leaderOf(items: readonly Item[], i: number): number {
  const earlier = items[i]?.sameAs ?? null;
  return earlier === null ? i : leaderOf(items, earlier);
}

function canRunOut(problem: Problem, resource: number, capacity: number): boolean {
  let use = 0;
  let peak = 0;
  for (const item of problem.items) {
    let most = 0;
    for (let p = 0; p < problem.places; p++) {
      if ((item.cost[p] ?? Infinity) === Infinity) continue;
      most = Math.max(most, item.use[p]?.[resource] ?? 0);
      peak = Math.max(peak, item.peak[p]?.[resource] ?? 0);
    }
    use += most;
  }
  return use + peak > capacity;
}

function layOutStages({ items, places }: Problem): Stage[] {
  const lastReader = new Map<number, number>();
  for (const [i, item] of items.entries()) {
    const sources = [...(item.sameAs === null ? [] : [item.sameAs]), ...item.inputs.map((input) => input.from)];
    for (const source of sources) if (source < i - 1) lastReader.set(source, i);
  }
  const open = items.map((_, i) => [...lastReader].filter(([j, last]) => j < i && last > i).map(([j]) => j));
  const stages: Stage[] = [];
  for (let i = 0; i + 1 < items.length; i++) {
    const here = [i, ...(open[i] ?? [])];
    const there = open[i + 1] ?? [];
    const states = places ** here.length;
    const next = new Int32Array(states * places).fill(-1);
    const step = new Float64Array(states * places);
    const item = items[i + 1];
    if (item === undefined) continue;
    for (let state = 0; state < states; state++) {
      const placeOf = new Map<number, number>();
      let rest = state;
      for (const j of here) {
        placeOf.set(j, rest % places);
        rest = Math.floor(rest / places);
      }
      let carried = 0;
      for (let k = there.length - 1; k >= 0; k--) {
        carried = carried * places + (placeOf.get(there[k] ?? 0) ?? 0);
      }
      for (let p = 0; p < places; p++) {
        if ((item.cost[p] ?? Infinity) === Infinity) continue;
        if (item.sameAs !== null && placeOf.get(item.sameAs) !== p) continue;
        let cost = 0;
        for (const input of item.inputs) cost += input.cost[placeOf.get(input.from) ?? 0]?.[p] ?? 0;
        next[state * places + p] = carried * places + p;
        step[state * places + p] = cost;
      }
    }
    stages.push({ states, next, step });
  }
  return stages;
}

/** Upper limits on `peak` per kept resource: places that exceed one are closed. */
export type Levels = Float64Array;
