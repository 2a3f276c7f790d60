/** What placements can ask of a resource. */
import { at } from '../../checked-access.js';
import type { Item, Problem } from './problem.js';

/** Whether some choice of places exceeds the capacity. */
export function canRunOut({ items, capacities }: Problem, resource: number): boolean {
  let use = 0;
  let peak = 0;
  for (const item of items) {
    let most = 0;
    for (const [p, cost] of item.cost.entries()) {
      if (cost === Infinity) continue;
      most = Math.max(most, at(at(item.use, p), resource));
      peak = Math.max(peak, at(at(item.peak, p), resource));
    }
    use += most;
  }
  return use + peak > at(capacities, resource);
}

/** The resources that can run out. */
export function scarceResources(problem: Problem): number[] {
  return problem.capacities.flatMap((_, r) => (canRunOut(problem, r) ? [r] : []));
}

/** The different peaks of open places on a resource, ascending from none. */
export function peaksOf({ items }: Problem, resource: number): number[] {
  const peaks = new Set([0]);
  for (const { cost, peak } of items) {
    for (const [p, own] of cost.entries()) if (own < Infinity) peaks.add(at(at(peak, p), resource));
  }
  return [...peaks].sort((a, b) => a - b);
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
