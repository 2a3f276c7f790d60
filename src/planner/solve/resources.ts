/** What placements can ask of a resource. */
import { at } from '../../checked-access.js';
import type { Item, Problem } from './problem.js';

/** The resources that can run out: some choice of places exceeds their capacity. */
export function scarceResources({ items, capacities }: Problem): number[] {
  return [...capacities.keys()].filter((r) => {
    let [use, peak] = [0, 0];
    for (const item of items) {
      const open = item.cost.flatMap((cost, p) => (cost < Infinity ? [p] : []));
      use += Math.max(0, ...open.map((p) => at(at(item.use, p), r)));
      peak = Math.max(peak, ...open.map((p) => at(at(item.peak, p), r)));
    }
    return use + peak > at(capacities, r);
  });
}

/** The different peaks of open places on a resource, ascending from none. */
export function peaksOf({ items }: Problem, resource: number): number[] {
  const peaks = new Set([0]);
  for (const { cost, peak } of items) {
    for (const [p, own] of cost.entries()) if (own < Infinity) peaks.add(at(at(peak, p), resource));
  }
  return [...peaks].sort((a, b) => a - b);
}

/**
 * How much of a resource placements can fill: the last multiple of what all their bytes are multiples of. To an integer solver 2.9999999
 * blocks are three, so that a limit which lacks a byte for three of them would get answers that do not fit.
 */
export function fillableBytes({ items, capacities }: Problem, resource: number): number {
  let unit = 0;
  for (const { cost, use, peak } of items) {
    for (const [p, own] of cost.entries()) {
      if (own === Infinity) continue;
      for (const rows of [use, peak]) unit = commonDivisor(unit, at(at(rows, p), resource));
    }
  }
  const capacity = at(capacities, resource);
  return unit > 0 ? capacity - (capacity % unit) : capacity;
}

function commonDivisor(a: number, b: number): number {
  let [high, low] = [a, b];
  while (low > 0) [high, low] = [low, high % low];
  return high;
}

/** How many of an item alone a place can hold. */
export function mostFitting({ capacities }: Problem, item: Item, place: number): number {
  const fitting = capacities.map((capacity, r) => {
    const room = capacity - at(at(item.peak, place), r);
    const use = at(at(item.use, place), r);
    return use === 0 ? (room < 0 ? 0 : Infinity) : Math.floor(room / use);
  });
  return Math.min(...fitting);
}
