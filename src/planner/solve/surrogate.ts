/**
 * A second lower bound, which knows that items are whole. All capacities are added up into one, weighted by their prices
 * (surrogate relaxation), and transitions are free; what remains is a knapsack, solved exactly for every suffix of the
 * chain as a list of (weight, cost) pairs, none of which is worse than another in both.
 */
import type { Chain, Levels } from './chain.js';

export interface Front {
  /** Ascending. */
  readonly weight: Float64Array;
  /** Descending: the least cost of the remaining items within that weight. */
  readonly cost: Float64Array;
}

/** Pairs kept per item; beyond that neighbours merge into one that is as light and as cheap as either. */
const MOST_PAIRS = 700;

type Option = readonly [weight: number, cost: number];

/**
 * `fronts[i]` is about item i and all after it; the last one is empty. Pairs that the items before leave no room for, or
 * that cost `upper` together with the cheapest choice of those, are left out.
 */
export function suffixFronts(chain: Chain, prices: Float64Array, levels: Levels, room: number, upper: number): Front[] {
  const options = Array.from({ length: chain.items }, (_, i) => optionsOf(chain, i, prices, levels));
  const limits: Option[] = [];
  let weightBefore = 0;
  let costBefore = 0;
  for (const own of options) {
    limits.push([loose(room) - weightBefore, loose(upper) - costBefore]);
    weightBefore += own[0]?.[0] ?? 0;
    costBefore += own.at(-1)?.[1] ?? 0;
  }
  const fronts: Front[] = [];
  let front: Front = { weight: Float64Array.of(0), cost: Float64Array.of(0) };
  for (let i = chain.items - 1; i >= 0; i--) {
    fronts.push(front);
    front = merged(front, options[i] ?? [], limits[i] ?? [Infinity, Infinity]);
  }
  fronts.push(front);
  return fronts.toReversed();
}

/** The places an item may take, lightest first, none of which is worse than another in both. */
function optionsOf(chain: Chain, item: number, prices: Float64Array, levels: Levels): Option[] {
  const { places, resources } = chain;
  const options: Option[] = [];
  for (let p = 0; p < places; p++) {
    const ip = item * places + p;
    const cost = chain.cost[ip] ?? Infinity;
    let weight = 0;
    let open = cost < Infinity;
    for (let r = 0; r < resources; r++) {
      weight += (prices[r] ?? 0) * (chain.use[ip * resources + r] ?? 0);
      if ((chain.peak[ip * resources + r] ?? 0) > (levels[r] ?? 0)) open = false;
    }
    if (open) options.push([weight, cost]);
  }
  return paretoOf(options);
}

/** Sums in another order differ in their last digits. */
function loose(limit: number): number {
  return limit + 1e-9 * Math.abs(limit) + 1e-12;
}

/** The least cost of the items after `i` that weigh no more than `room`; Infinity where none do. */
export function leastCost(front: Front | undefined, room: number): number {
  if (front === undefined) return 0;
  let low = 0;
  let high = front.weight.length;
  const limit = loose(room);
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((front.weight[middle] ?? Infinity) <= limit) low = middle + 1;
    else high = middle;
  }
  return low === 0 ? Infinity : (front.cost[low - 1] ?? Infinity);
}

/** The front with one more item in it: every option shifts it, and the shifted fronts are merged. */
function merged(front: Front, options: readonly Option[], limits: Option): Front {
  let result: Front = { weight: new Float64Array(0), cost: new Float64Array(0) };
  for (const option of options) result = mergedWithShift(result, front, option, limits);
  return result.weight.length > MOST_PAIRS ? coarsened(result) : result;
}

function mergedWithShift(a: Front, b: Front, [weight, cost]: Option, [mostWeight, mostCost]: Option): Front {
  const weights = new Float64Array(a.weight.length + b.weight.length);
  const costs = new Float64Array(weights.length);
  let size = 0;
  let i = 0;
  let j = 0;
  let least = Infinity;
  while (i < a.weight.length || j < b.weight.length) {
    const left = a.weight[i] ?? Infinity;
    const right = (b.weight[j] ?? Infinity) + weight;
    const takeLeft = left <= right;
    if ((takeLeft ? left : right) > mostWeight) break;
    const value = takeLeft ? (a.cost[i++] ?? Infinity) : (b.cost[j++] ?? Infinity) + cost;
    // Equal but for rounding is equal.
    if (value >= least - 1e-12 * Math.abs(least) || value > mostCost) continue;
    weights[size] = takeLeft ? left : right;
    costs[size++] = value;
    least = value;
  }
  return { weight: weights.slice(0, size), cost: costs.slice(0, size) };
}

function paretoOf(pairs: readonly Option[]): Option[] {
  const sorted = [...pairs].sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  let least = Infinity;
  return sorted.filter(([, cost]) => {
    if (cost >= least) return false;
    least = cost;
    return true;
  });
}

function coarsened({ weight, cost }: Front): Front {
  const first = weight[0] ?? 0;
  const width = ((weight.at(-1) ?? 0) - first) / (MOST_PAIRS / 2);
  const weights: number[] = [];
  const costs: number[] = [];
  let bucket = -1;
  for (let k = 0; k < weight.length; k++) {
    const own = Math.floor(((weight[k] ?? 0) - first) / width);
    if (own === bucket) costs[costs.length - 1] = cost[k] ?? 0;
    else {
      weights.push(weight[k] ?? 0);
      costs.push(cost[k] ?? 0);
    }
    bucket = own;
  }
  return { weight: Float64Array.from(weights), cost: Float64Array.from(costs) };
}
