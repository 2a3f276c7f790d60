/**
 * Placement as numbers: a chain of items, each of which takes one of the same list of places.
 *
 * A choice costs the sum of its items' costs and of a transition cost for every two neighbours (and for the few inputs
 * that skip the chain). It fits if on every resource the sum of `use` plus the largest single `peak` stays within the
 * capacity: weights and caches add up, activations and staged weights follow one another.
 */
import { at } from '../../checked-access.js';
import { numberAt } from './number-at.js';

export interface Problem {
  readonly places: number;
  /**
   * Per place, the resource of the device that runs it. Going from one place to another of the same device should be free:
   * bounds are then at their best. They hold in any case.
   */
  readonly homes: readonly number[];
  /** Bytes. */
  readonly capacities: readonly number[];
  readonly items: readonly Item[];
}

export interface Item {
  /** Per place; Infinity where the item may not go. */
  readonly cost: readonly number[];
  /** Bytes per place and resource. */
  readonly use: readonly (readonly number[])[];
  /** Bytes per place and resource that only count while the item runs. */
  readonly peak: readonly (readonly number[])[];
  /** Index of an earlier item whose place this one must share. */
  readonly sameAs: number | null;
  /** Transition cost `[place of the source][own place]`, from the previous item first; empty for the first item. */
  readonly inputs: readonly Input[];
}

export interface Input {
  readonly from: number;
  readonly cost: readonly (readonly number[])[];
}

export interface Solution {
  /** Place of every item. */
  readonly choice: readonly number[];
  readonly cost: number;
}

/** What a search comes to: proven where the bound is the solution's cost. */
export interface Answer {
  /** The best placement met that is of interest; null where there is none. */
  readonly solution: Solution | null;
  /** Nothing that fits costs less; Infinity where nothing fits, or nothing that is of interest. */
  readonly bound: number;
}

/** Cost of a choice; Infinity where it breaks a rule or a capacity. The definition that every solver answers to. */
export function costOf(problem: Problem, choice: readonly number[]): number {
  const use = problem.capacities.map(() => 0);
  const peak = problem.capacities.map(() => 0);
  let cost = 0;
  for (const [i, item] of problem.items.entries()) {
    const place = numberAt(choice, i);
    if (item.sameAs !== null && numberAt(choice, item.sameAs) !== place) return Infinity;
    cost += numberAt(item.cost, place);
    for (const input of item.inputs) cost += numberAt(at(input.cost, numberAt(choice, input.from)), place);
    for (const r of use.keys()) {
      use[r] = numberAt(use, r) + numberAt(at(item.use, place), r);
      peak[r] = Math.max(numberAt(peak, r), numberAt(at(item.peak, place), r));
    }
  }
  const fits = problem.capacities.every((capacity, r) => numberAt(use, r) + numberAt(peak, r) <= capacity);
  return fits ? cost : Infinity;
}

/** The problem in which an item goes only where it may. */
export function withPlaces(problem: Problem, mayGo: (item: Item, place: number, i: number) => boolean): Problem {
  const items = problem.items.map((item, i) => ({
    ...item,
    cost: item.cost.map((cost, place) => (mayGo(item, place, i) ? cost : Infinity)),
  }));
  return { ...problem, items };
}

/** What is made of a crossing, made once for each. */
export function perCrossing<T>(make: (crossing: Input['cost']) => T): (crossing: Input['cost']) => T {
  const known = new Map<Input['cost'], T>();
  return (crossing) => {
    const own = known.get(crossing) ?? make(crossing);
    known.set(crossing, own);
    return own;
  };
}

/** The same in other units of cost. */
export function scaled(problem: Problem, factor: number): Problem {
  const times = (cost: number): number => cost * factor;
  const crossing = perCrossing((own) => own.map((row) => row.map(times)));
  const items = problem.items.map(({ cost, inputs, ...item }) => ({
    ...item,
    cost: cost.map(times),
    inputs: inputs.map((input) => ({ ...input, cost: crossing(input.cost) })),
  }));
  return { ...problem, items };
}

/** No placement costs more, but for rounding. */
export function dearest({ items }: Problem): number {
  const most = (costs: readonly number[]): number => Math.max(0, ...costs.filter((cost) => cost < Infinity));
  const costOfItem = ({ cost, inputs }: Item): number =>
    inputs.reduce((sum, input) => sum + most(input.cost.flat()), most(cost));
  return items.reduce((sum, item) => sum + costOfItem(item), 0);
}

/** The problem of whether anything fits. */
export function withoutCosts(problem: Problem): Problem {
  const items = problem.items.map((item) => ({
    ...item,
    cost: item.cost.map((cost) => (cost === Infinity ? Infinity : 0)),
    inputs: [],
  }));
  return { ...problem, items };
}

/**
 * The same chain from its other end. In a captioning model the last blocks are large and run per token, the first are small and run once:
 * from the end, the dear ones are decided first and the cheap ones left to fill the gaps, so that good placements turn up early.
 */
export function reversed({ items, ...problem }: Problem): Problem {
  const last = items.length - 1;
  const transposed = perCrossing((cost) => cost.map((_, p) => cost.map((row) => numberAt(row, p))));
  const inputs = items.map((): Input[] => []);
  const roots: number[] = [];
  for (const [i, item] of items.entries()) {
    roots.push(item.sameAs === null ? i : at(roots, item.sameAs));
    for (const { from, cost } of item.inputs) at(inputs, from).push({ from: last - i, cost: transposed(cost) });
  }
  const latest = new Map<number, number>();
  const back = items.toReversed().map((item, k): Item => {
    const root = at(roots, last - k);
    const sameAs = latest.get(root) ?? null;
    latest.set(root, k);
    return { ...item, sameAs, inputs: at(inputs, last - k) };
  });
  return { ...problem, items: back };
}

/** Numbers for matrices: equal ones have the same. */
export function numbering(): (matrix: readonly (readonly number[])[]) => number {
  const byIdentity = new Map<object, number>();
  const byValue = new Map<string, number>();
  return (matrix) => {
    const seen = byIdentity.get(matrix);
    if (seen !== undefined) return seen;
    const key = matrix.map((row) => row.join()).join(';');
    const number = byValue.get(key) ?? byValue.size;
    byValue.set(key, number);
    byIdentity.set(matrix, number);
    return number;
  };
}
