/**
 * A problem as its devices see it. Every place belongs to the device that runs it; a device gains nothing from a
 * neighbour on itself and pays its end of a crossing whenever the chain enters or leaves it. Where crossings are sums of
 * two ends, as copies between devices are, ends lose nothing; elsewhere they are a lower bound.
 */
import { found } from '../../checked-access.js';
import { realAt } from './number-at.js';
import type { Chain } from './chain.js';
import { crossingEnds } from './crossing-ends.js';
import type { Problem } from './problem.js';

export interface DevicePlaces {
  readonly places: readonly number[];
  /** The chain's resource that its places fill, or -1 where that cannot run out. */
  readonly resource: number;
  /** Per item: what it costs to enter or leave the device between the previous item and this one; after the last, none. */
  readonly endCosts: Float64Array;
}

export function devicePlaces(problem: Problem, chain: Chain): DevicePlaces[] {
  const homes = [...new Set(problem.homes)];
  const endsOf = crossingEnds(problem.homes);
  return homes.map((home) => {
    const endCosts = new Float64Array(chain.items + 1);
    for (const [i, item] of problem.items.entries()) {
      for (const { from, cost } of item.inputs) {
        if (i > 0 && from === i - 1) endCosts[i] = realAt(endCosts, i) + found(endsOf(cost).byDevice, home);
      }
    }
    const places = problem.homes.flatMap((own, p) => (own === home ? [p] : []));
    return { places, resource: chain.kept.indexOf(home), endCosts };
  });
}
