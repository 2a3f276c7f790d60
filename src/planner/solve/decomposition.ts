/**
 * Lagrangian decomposition by device: every item has a dual value, which whichever device takes it earns. The sum of all
 * duals less what the devices could earn alone bounds every placement from below, and knows what prices per byte do not: a
 * block either fits into what is left of a device or does not, and a device that is entered has to be left again.
 */
import { at } from '../../checked-access.js';
import { realAt } from './number-at.js';
import type { Chain } from './chain.js';
import { deviceFronts, knapsackOptions, profitBound, type DeviceKnapsack } from './device-knapsack.js';
import type { BoundedBox } from './prices.js';
import type { ValueFront } from './value-front.js';

export interface Decomposition {
  /** Per item. */
  readonly duals: Float64Array;
  /** Per resource, for bytes that no device's own capacity accounts for. */
  readonly prices: Float64Array;
  /** Per device, its most profit from each item on, in placements that cost less than what was known; none once closed. */
  readonly fronts: readonly (readonly ValueFront[])[];
  readonly bound: number;
}

/**
 * @param pairs most pairs of a front
 * @param upper placements that cost as much are of no interest
 */
export function decompose(
  chain: Chain,
  { prices: all, capacities, levels, relaxation }: BoundedBox,
  { pairs, upper }: { readonly pairs: number; readonly upper: number },
): Decomposition {
  // A device's own capacity needs no price.
  const outer = outerResources(chain);
  const prices = all.map((price, r) => (outer.includes(r) ? price : 0));
  const duals = dualsOf(chain, all);
  const knapsacks = chain.devices.map((device): DeviceKnapsack => {
    const { resource } = device;
    return {
      device,
      options: knapsackOptions(chain, device, prices, levels),
      capacity: resource < 0 ? Infinity : realAt(capacities, resource),
      price: resource < 0 || outer.includes(resource) ? 0 : realAt(all, resource),
      pairs,
    };
  });
  const fixed = prices.reduce((sum, price, r) => sum + price * realAt(capacities, r), 0);
  let bound = duals.reduce((sum, value) => sum + value, -fixed - relaxation.rounding);
  const most = knapsacks.map((knapsack) => profitBound(knapsack, duals));
  const rest = most.reduce((left, own) => left - own, bound);
  const fronts: ValueFront[][] = [];
  for (const [d, knapsack] of knapsacks.entries()) {
    // With less profit than this here, and the most everywhere else, a placement costs `upper` or more.
    const front = deviceFronts(knapsack, duals, rest + at(most, d) - upper);
    const profit = at(front, 0).value.at(-1);
    if (profit === undefined) return { duals, prices, fronts: [], bound: Infinity };
    bound -= profit;
    fronts.push(front);
  }
  return { duals, prices, fronts, bound };
}

/** Resources that places of more than one device use. */
export function outerResources({ places, resources, items, devices, use }: Chain): number[] {
  const own = new Int32Array(places).fill(-1);
  for (const { places: members, resource } of devices) for (const p of members) own[p] = resource;
  const outer = new Set<number>();
  for (let ip = 0; ip < items * places; ip++) {
    for (let r = 0; r < resources; r++) {
      if (realAt(use, ip * resources + r) > 0 && own[ip % places] !== r) outer.add(r);
    }
  }
  return [...outer];
}

/**
 * What each item adds to the cheapest way through the chain when bytes have their prices: the differences between the
 * least costs of having left every device after one item and after the next. No device earns anything with these beyond
 * the price of its capacity, so the bound starts where prices alone end.
 */
export function dualsOf(chain: Chain, prices: Float64Array): Float64Array {
  const { places, resources, items, devices } = chain;
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
