/**
 * Lagrangian decomposition by device: every item has a dual value, which whichever device takes it earns. The sum of all
 * duals less what the devices could earn alone bounds every placement from below, and knows what prices per byte do not: a
 * block either fits into what is left of a device or does not, and a device that is entered has to be left again.
 */
import { at } from '../../checked-access.js';
import { realAt } from './number-at.js';
import type { Chain, Levels } from './chain.js';
import {
  deviceFronts,
  knapsackOptions,
  profitBefore,
  type DeviceFronts,
  type DeviceKnapsack,
} from './device-knapsack.js';
import type { DevicePlaces } from './device-places.js';

export interface Decomposition {
  /** Per item. */
  readonly duals: Float64Array;
  /** Per resource, for bytes that no device's own capacity accounts for. */
  readonly prices: Float64Array;
  /** Per device, its most profit from each item on, in placements that cost less than what was known; none once closed. */
  readonly fronts: readonly DeviceFronts[];
  readonly bound: number;
}

export interface DecompositionOptions {
  /** Prices per byte, from which the duals follow. */
  readonly prices: Float64Array;
  /** Without what peaks are known to take. */
  readonly capacities: Float64Array;
  readonly levels: Levels;
  /** Most pairs of a front. */
  readonly pairs: number;
  /** Placements that cost as much are of no interest. */
  readonly upper: number;
}

export function decompose(
  chain: Chain,
  devices: readonly DevicePlaces[],
  { prices, capacities, levels, pairs, upper }: DecompositionOptions,
): Decomposition {
  const outer = outerPrices(chain, devices, prices);
  const knapsacks = devices.map((device): DeviceKnapsack => {
    const { resource } = device;
    const isInner = resource >= 0 && realAt(outer, resource) === 0;
    return {
      device,
      options: knapsackOptions(chain, device, outer, levels),
      capacity: resource < 0 ? Infinity : realAt(capacities, resource),
      price: isInner ? realAt(prices, resource) : 0,
      pairs,
    };
  });
  const duals = dualsOf(chain, devices, prices);
  const fixed = outer.reduce((sum, price, r) => sum + price * realAt(capacities, r), 0);
  const total = duals.reduce((sum, value) => sum + value, -fixed);
  const most = knapsacks.map((knapsack) => {
    const before = profitBefore(knapsack, duals);
    const spare = knapsack.price === 0 ? 0 : knapsack.price * knapsack.capacity;
    return { before, most: Math.max(...before.slice(-2)) + spare };
  });
  const rest = total - most.reduce((sum, own) => sum + own.most, 0);
  const fronts: DeviceFronts[] = [];
  let bound = total;
  for (const [d, knapsack] of knapsacks.entries()) {
    const own = at(most, d);
    // With less profit than this here, and the most everywhere else, a placement costs `upper` or more.
    const front = deviceFronts(knapsack, duals, own.before, rest + own.most - upper);
    const profit = at(front.outside, 0).value.at(-1);
    if (profit === undefined) return { duals, prices: outer, fronts: [], bound: Infinity };
    bound -= profit;
    fronts.push(front);
  }
  return { duals, prices: outer, fronts, bound };
}

/** Prices of resources that places of more than one device use; a device's own capacity needs no price. */
function outerPrices(chain: Chain, devices: readonly DevicePlaces[], prices: Float64Array): Float64Array {
  const outer = outerResources(chain, devices);
  return prices.map((price, r) => (outer.includes(r) ? price : 0));
}

export function outerResources(chain: Chain, devices: readonly DevicePlaces[]): number[] {
  const { places, resources, items } = chain;
  const own = new Int32Array(places).fill(-1);
  for (const { places: members, resource } of devices) for (const p of members) own[p] = resource;
  const outer = new Set<number>();
  for (let ip = 0; ip < items * places; ip++) {
    for (let r = 0; r < resources; r++) {
      if (realAt(chain.use, ip * resources + r) > 0 && own[ip % places] !== r) outer.add(r);
    }
  }
  return [...outer];
}

/**
 * What each item adds to the cheapest way through the chain when bytes have their prices: the differences between the
 * least costs of having left every device after one item and after the next. No device earns anything with these beyond
 * the price of its capacity, so the bound starts where prices alone end.
 */
export function dualsOf(chain: Chain, devices: readonly DevicePlaces[], prices: Float64Array): Float64Array {
  const { places, resources, items } = chain;
  const duals = new Float64Array(items);
  const on = new Float64Array(devices.length).fill(Infinity);
  let left = 0;
  for (let i = 0; i < items; i++) {
    let leaving = Infinity;
    for (const [d, { places: members, endCosts }] of devices.entries()) {
      let own = Infinity;
      for (const p of members) {
        const ip = i * places + p;
        let value = realAt(chain.cost, ip);
        for (let r = 0; r < resources; r++) value += realAt(prices, r) * realAt(chain.use, ip * resources + r);
        own = Math.min(own, value);
      }
      own += Math.min(realAt(on, d), left + realAt(endCosts, i));
      on[d] = own;
      leaving = Math.min(leaving, own + realAt(endCosts, i + 1));
    }
    duals[i] = leaving - left;
    left = leaving;
  }
  return duals;
}
