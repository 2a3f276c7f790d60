/**
 * A problem laid out for speed. A state before item i is the place of the item before, and the places of those earlier items
 * that are still linked to i or a later one; where everything that may follow costs the same, states are one.
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
  const stages = layOutStages(items, places);
  const stageStart = new Int32Array(items.length + 2);
  for (let i = 0; i <= items.length; i++) stageStart[i + 1] = wholeAt(stageStart, i) + (stages[i]?.states ?? 1);
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
    stageStart,
  };
}

function layOutStages(items: readonly Item[], places: number): Stage[] {
  const lastReader = new Map<number, number>();
  for (const [i, { sameAs, inputs }] of items.entries()) {
    for (const source of [sameAs ?? i, ...inputs.map(({ from }) => from)]) lastReader.set(source, i);
  }
  const numberOf = numbering();
  let held: number[] = [];
  const rules = items.map(({ cost, sameAs, inputs }, i): StageRules => {
    const carried = held.filter((j) => (lastReader.get(j) ?? -1) > i);
    const positions = new Map(held.map((j, k) => [j, k]));
    const own = {
      held: held.length,
      carried: carried.map((j) => found(positions, j)),
      inputs: inputs.map((input) => ({ ...input, from: found(positions, input.from) })),
      sameAs: sameAs === null ? null : found(positions, sameAs),
      closed: cost.map((each) => each === Infinity),
    };
    held = [i, ...carried];
    return own;
  });
  // From the last item back, after which all states are one. Runs of equal items have equal stages.
  const known = new Map<string, MergedStage & { readonly after: Int32Array }>();
  let after: Int32Array = new Int32Array(places);
  const stages = rules.toReversed().map((own) => {
    const key = JSON.stringify({ ...own, inputs: own.inputs.map(({ from, cost }) => [from, numberOf(cost)]) });
    const seen = known.get(key);
    const { stage, before } = seen?.after === after ? seen : mergedStage(own, after);
    known.set(key, { stage, before, after });
    after = before;
    return stage;
  });
  return stages.toReversed();
}

/** The step to an item; earlier items are named by their position among those that a state holds. */
interface StageRules extends Pick<Item, 'sameAs' | 'inputs'> {
  readonly held: number;
  readonly carried: readonly number[];
  /** Per place. */
  readonly closed: readonly boolean[];
}

interface MergedStage {
  readonly stage: Stage;
  /** Places of the items that are held -> state: one for all from which every step costs the same and leads to the same state. */
  readonly before: Int32Array;
}

/** @param after the states after the item, likewise */
function mergedStage({ held, carried, inputs, sameAs, closed }: StageRules, after: Int32Array): MergedStage {
  const places = closed.length;
  const numbers = new Map<string, number>();
  const next: number[] = [];
  const step: number[] = [];
  const before = Int32Array.from({ length: places ** held }, (_, holding) => {
    const placeOf = (k: number): number => Math.floor(holding / places ** k) % places;
    const base = carried.reduceRight((sum, k) => sum * places + placeOf(k), 0);
    const targets = closed.map((isClosed, p) =>
      isClosed || (sameAs !== null && placeOf(sameAs) !== p) ? -1 : wholeAt(after, base * places + p),
    );
    const costs = targets.map((target, p) =>
      target < 0 ? 0 : inputs.reduce((sum, { from, cost }) => sum + at(at(cost, placeOf(from)), p), 0),
    );
    const key = `${targets.join()};${costs.join()}`;
    const number = numbers.get(key) ?? numbers.size;
    if (number === numbers.size) {
      next.push(...targets);
      step.push(...costs);
    }
    numbers.set(key, number);
    return number;
  });
  const stage = { states: numbers.size, next: Int32Array.from(next), step: Float64Array.from(step) };
  // The same array where nothing changes, so that runs of equal stages are looked at once.
  return { stage, before: before.join() === after.join() ? after : before };
}
