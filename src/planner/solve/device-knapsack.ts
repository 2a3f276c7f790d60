/**
 * The subproblem of one device: which items it would take if it chose alone. A knapsack along the chain: an item's profit is
 * its dual value less its cost, entering and leaving the device costs an end of a crossing each, and only whole items fill
 * the capacity.
 */
import { at } from '../../checked-access.js';
import { realAt } from './number-at.js';
import type { Chain } from './chain.js';
import type { DevicePlaces } from './device-places.js';
import { EMPTY, NOTHING, upperEnvelope, type Limits, type ValueFront } from './value-front.js';

/** A place on the device: bytes of its resource, and its cost with all other bytes priced. */
interface KnapsackOption {
  readonly place: number;
  readonly weight: number;
  readonly cost: number;
}

export interface DeviceKnapsack {
  readonly device: DevicePlaces;
  /** Per item, the places on the device that no other dominates. */
  readonly options: readonly (readonly KnapsackOption[])[];
  readonly capacity: number;
  /** Per byte of its capacity: what tells hopeless pairs from others. */
  readonly price: number;
  /** Most pairs of a front. */
  readonly pairs: number;
}

export function knapsackOptions(
  chain: Chain,
  device: DevicePlaces,
  prices: Float64Array,
  levels: Float64Array,
): KnapsackOption[][] {
  const { places, resources, items } = chain;
  const { resource } = device;
  return Array.from({ length: items }, (_, i) => {
    const options: KnapsackOption[] = [];
    for (const place of device.places) {
      const ip = i * places + place;
      let cost = realAt(chain.cost, ip);
      for (let r = 0; r < resources; r++) {
        if (realAt(chain.peak, ip * resources + r) > realAt(levels, r)) cost = Infinity;
        cost += realAt(prices, r) * realAt(chain.use, ip * resources + r);
      }
      const weight = resource < 0 ? 0 : realAt(chain.use, ip * resources + resource);
      if (cost < Infinity) options.push({ place, weight, cost });
    }
    options.sort((a, b) => a.cost - b.cost || a.weight - b.weight);
    return options.filter((own, k) => !options.slice(0, k).some((other) => other.weight <= own.weight));
  });
}

/** The most profit of the items up to each one, bytes priced: `[2 * item + (1 if the item before is here)]`. */
function profitBefore({ device, options, price }: DeviceKnapsack, duals: Float64Array): Float64Array {
  const most = new Float64Array(2 * (options.length + 1)).fill(-Infinity);
  most[0] = 0;
  for (const [i, own] of options.entries()) {
    const endCost = realAt(device.endCosts, i);
    const outside = realAt(most, 2 * i);
    const inside = realAt(most, 2 * i + 1);
    let profit = -Infinity;
    for (const { weight, cost } of own) profit = Math.max(profit, realAt(duals, i) - cost - price * weight);
    most[2 * i + 2] = Math.max(outside, inside - endCost);
    most[2 * i + 3] = Math.max(inside, outside - endCost) + profit;
  }
  return most;
}

/** What the whole capacity costs at its price. */
function capacityCost({ price, capacity }: DeviceKnapsack): number {
  return price === 0 ? 0 : price * capacity;
}

/** What no solution exceeds, by the price per byte alone. */
export function profitBound(knapsack: DeviceKnapsack, duals: Float64Array): number {
  return Math.max(...profitBefore(knapsack, duals).slice(-2)) + capacityCost(knapsack);
}

/**
 * The most profit by weight of each item and those after it: `[2 * item + (1 if the item before is here)]`.
 * @param least solutions with less profit are of no interest
 */
export function deviceFronts(knapsack: DeviceKnapsack, duals: Float64Array, least: number): ValueFront[] {
  const { device, options, price, pairs, capacity: weight } = knapsack;
  const before = profitBefore(knapsack, duals);
  const fronts = Array.from(before, () => NOTHING);
  const limitsOf = (state: number): Limits => {
    return { weight, price, pairs, least: least - capacityCost(knapsack) - realAt(before, state) };
  };
  for (let i = options.length - 1; i >= 0; i--) {
    const endCost = realAt(device.endCosts, i);
    const [left, stay] = [at(fronts, 2 * i + 2), at(fronts, 2 * i + 3)];
    const [outside, inside] = [limitsOf(2 * i), limitsOf(2 * i + 1)];
    const loosest = { ...inside, least: Math.min(outside.least + endCost, inside.least) };
    let taken = EMPTY;
    for (const option of at(options, i)) {
      taken = upperEnvelope(taken, [0, 0], stay, [option.weight, realAt(duals, i) - option.cost], loosest);
    }
    fronts[2 * i] = upperEnvelope(left, [0, 0], taken, [0, -endCost], outside);
    fronts[2 * i + 1] = upperEnvelope(left, [0, -endCost], taken, [0, 0], inside);
  }
  return fronts;
}
