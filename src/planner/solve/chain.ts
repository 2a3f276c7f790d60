/**
 * A problem laid out for speed. A state after item i is its place, and the places of those earlier items that a later one
 * still refers to.
 */
import { at, found } from '../../checked-access.js';
import { realAt, wholeAt } from './number-at.js';
import type { Input, Item, Problem } from './problem.js';
import { canRunOut } from './resources.js';

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
  /** Per item, `[state]` -> the first state after it from which everything that may follow costs the same. */
  readonly alike: readonly Int32Array[];
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
  const kept = problem.capacities.flatMap((_, r) => (canRunOut(problem, r) ? [r] : []));
  const resources = kept.length;
  const cost = new Float64Array(items.length * places);
  const use = new Float64Array(items.length * places * resources);
  const peak = new Float64Array(items.length * places * resources);
  for (const [i, item] of items.entries()) {
    // What a bond's later members cost and use is known with the first, and counted there: bounds see it earlier.
    const payer = item.sameAs === null ? i : leaderOf(items, item.sameAs);
    for (let p = 0; p < places; p++) {
      const own = at(item.cost, p);
      cost[payer * places + p] = realAt(cost, payer * places + p) + own;
      for (const [k, r] of kept.entries()) {
        const slot = (payer * places + p) * resources + k;
        use[slot] = realAt(use, slot) + at(at(item.use, p), r);
        peak[(i * places + p) * resources + k] = at(at(item.peak, p), r);
      }
    }
  }
  const stages = layOutStages(problem);
  const stageStart = new Int32Array(items.length + 1);
  for (let i = 0; i < items.length; i++) {
    const states = i < stages.length ? at(stages, i).states : places;
    stageStart[i + 1] = wholeAt(stageStart, i) + states;
  }
  return {
    items: items.length,
    places,
    resources,
    capacities: Float64Array.from(kept, (r) => at(problem.capacities, r)),
    kept,
    cost,
    use,
    peak,
    stages,
    alike: alikeStates(stages, items.length, places),
    stageStart,
  };
}

/** From the last item back: states are alike if every next step costs the same and leads to states that are alike. */
function alikeStates(stages: readonly Stage[], items: number, places: number): Int32Array[] {
  let after: Int32Array = new Int32Array(places);
  const result = [after];
  const known = new Map<Stage, { readonly after: Int32Array; readonly own: Int32Array }>();
  for (let i = items - 2; i >= 0; i--) {
    const stage = at(stages, i);
    const seen = known.get(stage);
    if (seen?.after === after) {
      after = seen.own;
    } else {
      const first = new Map<string, number>();
      const own = new Int32Array(stage.states);
      for (let state = 0; state < stage.states; state++) {
        let key = '';
        for (let sp = state * places; sp < (state + 1) * places; sp++) {
          const next = wholeAt(stage.next, sp);
          key += next < 0 ? '-,' : `${realAt(stage.step, sp)}>${wholeAt(after, next)},`;
        }
        if (!first.has(key)) first.set(key, state);
        own[state] = found(first, key);
      }
      // The same array where nothing changes, so that runs of equal stages are looked at once.
      const same = own.length === after.length && own.every((value, state) => value === after[state]);
      const kept = same ? after : own;
      known.set(stage, { after, own: kept });
      after = kept;
    }
    result.push(after);
  }
  return result.toReversed();
}

function leaderOf(items: readonly Item[], i: number): number {
  const earlier = at(items, i).sameAs;
  return earlier === null ? i : leaderOf(items, earlier);
}

function layOutStages({ items, places }: Problem): Stage[] {
  const lastReader = new Map<number, number>();
  for (const [i, item] of items.entries()) {
    const sources = [...(item.sameAs === null ? [] : [item.sameAs]), ...item.inputs.map((input) => input.from)];
    for (const source of sources) if (source < i - 1) lastReader.set(source, i);
  }
  const open = items.map((_, i) => [...lastReader].filter(([j, last]) => j < i && last > i).map(([j]) => j));
  const stages: Stage[] = [];
  const known = new Map<string, Stage>();
  const numberOf = numbering();
  for (let i = 0; i + 1 < items.length; i++) {
    const item = at(items, i + 1);
    const here = [i, ...at(open, i)];
    const there = at(open, i + 1);
    const placeIn = new Map(here.map((j, k) => [j, k]));
    const carried = there.map((j) => found(placeIn, j));
    const inputs = item.inputs.map(({ from, cost }) => ({ from: found(placeIn, from), cost }));
    const sameAs = item.sameAs === null ? null : found(placeIn, item.sameAs);
    const closed = item.cost.map((cost) => cost === Infinity);
    // Runs of equal items have equal stages.
    const key = JSON.stringify([
      here.length,
      carried,
      inputs.map(({ from, cost }) => [from, numberOf(cost)]),
      sameAs,
      closed.map(Number),
    ]);
    const stage = known.get(key) ?? stageOf(places, here.length, { carried, inputs, sameAs, closed });
    known.set(key, stage);
    stages.push(stage);
  }
  return stages;
}

/** The step to an item; places are named by their position among the places that a state holds. */
interface StageRules {
  readonly carried: readonly number[];
  readonly inputs: readonly Input[];
  readonly sameAs: number | null;
  readonly closed: readonly boolean[];
}

function stageOf(places: number, held: number, { carried, inputs, sameAs, closed }: StageRules): Stage {
  const states = places ** held;
  const next = new Int32Array(states * places).fill(-1);
  const step = new Float64Array(states * places);
  const placeOf = new Int32Array(held);
  for (let state = 0; state < states; state++) {
    let rest = state;
    for (let k = 0; k < held; k++) {
      placeOf[k] = rest % places;
      rest = Math.floor(rest / places);
    }
    let base = 0;
    for (let k = carried.length - 1; k >= 0; k--) base = base * places + wholeAt(placeOf, at(carried, k));
    for (let p = 0; p < places; p++) {
      if (at(closed, p) || (sameAs !== null && wholeAt(placeOf, sameAs) !== p)) continue;
      let cost = 0;
      for (const input of inputs) cost += at(at(input.cost, wholeAt(placeOf, input.from)), p);
      next[state * places + p] = base * places + p;
      step[state * places + p] = cost;
    }
  }
  return { states, next, step };
}

function numbering(): (value: object) => number {
  const numbers = new Map<object, number>();
  return (value) => {
    const number = numbers.get(value) ?? numbers.size;
    numbers.set(value, number);
    return number;
  };
}

/** Upper limits on `peak` per kept resource: places that exceed one are closed. */
export type Levels = Float64Array;
