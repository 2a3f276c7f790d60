/**
 * A problem laid out for speed. A state before item i is the place of the item before, and the places of those earlier items
 * that are still linked to i or a later one.
 */
import { at, found } from '../../checked-access.js';
import { devicePlaces, type DevicePlaces } from './device-places.js';
import { realAt, wholeAt } from './number-at.js';
import { numbering, type Item, type Problem } from './problem.js';
import { scarceResources } from './resources.js';

export interface Chain {
  readonly items: number;
  readonly places: number;
  readonly resources: number;
  /** Capacities of the resources that can run out; the others are left out. */
  readonly capacities: Float64Array;
  readonly devices: readonly DevicePlaces[];
  readonly cost: Float64Array;
  /** `[(item * places + place) * resources + resource]`. */
  readonly use: Float64Array;
  readonly peak: Float64Array;
  /** Per item, the step to it. */
  readonly stages: readonly Stage[];
  /** Per item, `[state before it]` -> the first such state from which everything that may follow costs the same; and after the last. */
  readonly alike: readonly Int32Array[];
  /** Where the states before each item begin in a list of all states, and those after the last; then the length of that list. */
  readonly stageStart: Int32Array;
}

export interface Stage {
  readonly states: number;
  /** `[state * places + place]` -> state after the item, or -1 where the rules forbid it. */
  readonly next: Int32Array;
  /** Transition cost of that step. */
  readonly step: Float64Array;
}

export function layOut(problem: Problem): Chain {
  const { places, items } = problem;
  const kept = scarceResources(problem);
  const resources = kept.length;
  const cost = new Float64Array(items.length * places);
  const use = new Float64Array(items.length * places * resources);
  const peak = new Float64Array(items.length * places * resources);
  const payers: number[] = [];
  for (const [i, item] of items.entries()) {
    // What a bond's later members cost and use is known with the first, and counted there: bounds see it earlier.
    const payer = item.sameAs === null ? i : at(payers, item.sameAs);
    payers.push(payer);
    for (let p = 0; p < places; p++) {
      cost[payer * places + p] = realAt(cost, payer * places + p) + at(item.cost, p);
      for (const [k, r] of kept.entries()) {
        const slot = (payer * places + p) * resources + k;
        use[slot] = realAt(use, slot) + at(at(item.use, p), r);
        peak[(i * places + p) * resources + k] = at(at(item.peak, p), r);
      }
    }
  }
  const stages = layOutStages(items);
  const stageStart = new Int32Array(items.length + 2);
  for (let i = 0; i <= items.length; i++) stageStart[i + 1] = wholeAt(stageStart, i) + (stages[i]?.states ?? places);
  return {
    items: items.length,
    places,
    resources,
    capacities: Float64Array.from(kept, (r) => at(problem.capacities, r)),
    devices: devicePlaces(problem.homes, items, kept),
    cost,
    use,
    peak,
    stages,
    alike: alikeStates(stages, places),
    stageStart,
  };
}

/** From the last item back: states are alike if every next step costs the same and leads to states that are alike. */
function alikeStates(stages: readonly Stage[], places: number): Int32Array[] {
  let after: Int32Array = new Int32Array(places);
  const result = [after];
  const known = new Map<Stage, { readonly after: Int32Array; readonly before: Int32Array }>();
  for (const stage of stages.toReversed()) {
    const seen = known.get(stage);
    const before = seen?.after === after ? seen.before : alikeBefore(stage, places, after);
    known.set(stage, { after, before });
    after = before;
    result.push(before);
  }
  return result.toReversed();
}

function alikeBefore({ states, next, step }: Stage, places: number, after: Int32Array): Int32Array {
  const first = new Map<string, number>();
  const before = Int32Array.from({ length: states }, (_, state) => {
    let key = '';
    for (let sp = state * places; sp < (state + 1) * places; sp++) {
      const target = wholeAt(next, sp);
      key += target < 0 ? '-,' : `${realAt(step, sp)}>${wholeAt(after, target)},`;
    }
    const own = first.get(key) ?? state;
    first.set(key, own);
    return own;
  });
  // The same array where nothing changes, so that runs of equal stages are looked at once.
  return before.join() === after.join() ? after : before;
}

function layOutStages(items: readonly Item[]): Stage[] {
  const lastReader = new Map<number, number>();
  for (const [i, { sameAs, inputs }] of items.entries()) {
    for (const source of [sameAs ?? i, ...inputs.map(({ from }) => from)]) lastReader.set(source, i);
  }
  const known = new Map<string, Stage>();
  const numberOf = numbering();
  let held: number[] = [];
  return items.map(({ cost, sameAs, inputs }, i) => {
    const carried = held.filter((j) => (lastReader.get(j) ?? -1) > i);
    const positions = new Map(held.map((j, k) => [j, k]));
    const rules: StageRules = {
      held: held.length,
      carried: carried.map((j) => found(positions, j)),
      inputs: inputs.map((own) => ({ ...own, from: found(positions, own.from) })),
      sameAs: sameAs === null ? null : found(positions, sameAs),
      closed: cost.map((own) => own === Infinity),
    };
    held = [i, ...carried];
    // Runs of equal items have equal stages.
    const key = JSON.stringify({ ...rules, inputs: rules.inputs.map((own) => [own.from, numberOf(own.cost)]) });
    const stage = known.get(key) ?? stageOf(rules);
    known.set(key, stage);
    return stage;
  });
}

/** The step to an item; earlier items are named by their position among those that a state holds. */
interface StageRules extends Pick<Item, 'sameAs' | 'inputs'> {
  readonly held: number;
  readonly carried: readonly number[];
  /** Per place. */
  readonly closed: readonly boolean[];
}

function stageOf({ held, carried, inputs, sameAs, closed }: StageRules): Stage {
  const places = closed.length;
  const states = places ** held;
  const next = new Int32Array(states * places).fill(-1);
  const step = new Float64Array(states * places);
  for (let state = 0; state < states; state++) {
    const placeOf = (k: number): number => Math.floor(state / places ** k) % places;
    const base = carried.reduceRight((sum, k) => sum * places + placeOf(k), 0);
    for (let p = 0; p < places; p++) {
      if (at(closed, p) || (sameAs !== null && placeOf(sameAs) !== p)) continue;
      next[state * places + p] = base * places + p;
      step[state * places + p] = inputs.reduce((sum, { from, cost }) => sum + at(at(cost, placeOf(from)), p), 0);
    }
  }
  return { states, next, step };
}
