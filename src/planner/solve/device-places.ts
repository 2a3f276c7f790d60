/**
 * A problem as its devices see it. Every place belongs to the device that runs it; a device gains nothing from a
 * neighbour on itself and pays its end of a crossing whenever the chain enters or leaves it. Where crossings are sums of
 * two ends, as copies between devices are, ends lose nothing; elsewhere they are a lower bound.
 */
import { at, found } from '../../checked-access.js';
import { realAt } from './number-at.js';
import { perCrossing, type Input, type Item } from './problem.js';

type Crossing = Input['cost'];

export interface CrossingEnds {
  /** Device (of `homes`) -> what entering or leaving it costs: as much as no two of them exceed a crossing between them. */
  readonly byDevice: ReadonlyMap<number, number>;
  /** Whether every crossing is the sum of its ends. */
  readonly isExact: boolean;
}

export type EndsOf = (crossing: Crossing) => CrossingEnds;

/** How far a crossing may be from the sum of its ends, in units of cost. */
const SAME = 1e-9;

export function crossingEnds(homes: readonly number[]): EndsOf {
  return perCrossing((crossing) => splitEnds(crossing, homes));
}

function splitEnds(crossing: Crossing, homes: readonly number[]): CrossingEnds {
  const devices = [...new Set(homes)];
  const members = devices.map((device) => homes.flatMap((own, p) => (own === device ? [p] : [])));
  const least = members.map((a) =>
    members.map((b) =>
      a === b ? 0 : Math.min(...a.flatMap((p) => b.flatMap((q) => [at(at(crossing, p), q), at(at(crossing, q), p)]))),
    ),
  );
  const ends = devices.map((_, a) => {
    const own = at(least, a);
    const others = [...devices.keys()].filter((b) => b !== a);
    const shares = others.flatMap((b) => others.map((c) => (at(own, b) + at(own, c) - at(at(least, b), c)) / 2));
    // Of two devices both have half.
    return others.length < 2 ? at(own, others[0] ?? a) / 2 : Math.max(0, Math.min(...shares));
  });
  const byDevice = new Map(devices.map((device, d) => [device, at(ends, d)]));
  const sum = (a: number, b: number): number => (a === b ? 0 : found(byDevice, a) + found(byDevice, b));
  const isExact = homes.every((a, p) => homes.every((b, q) => Math.abs(at(at(crossing, p), q) - sum(a, b)) <= SAME));
  return { byDevice, isExact };
}

export interface DevicePlaces {
  /** The device, as `homes` names it. */
  readonly home: number;
  readonly places: readonly number[];
  /** The chain's resource that its places fill, or -1 where that cannot run out. */
  readonly resource: number;
  /** Per item: what it costs to enter or leave the device between the previous item and this one; after the last, none. */
  readonly endCosts: Float64Array;
}

/** @param kept the chain's resources, as the problem numbers them */
export function devicePlaces(
  homes: readonly number[],
  items: readonly Item[],
  kept: readonly number[],
): DevicePlaces[] {
  const endsOf = crossingEnds(homes);
  return [...new Set(homes)].map((home) => {
    const endCosts = new Float64Array(items.length + 1);
    for (const [i, { inputs }] of items.entries()) {
      for (const { from, cost } of inputs) {
        if (from === i - 1) endCosts[i] = realAt(endCosts, i) + found(endsOf(cost).byDevice, home);
      }
    }
    const places = homes.flatMap((own, p) => (own === home ? [p] : []));
    return { home, places, resource: kept.indexOf(home), endCosts };
  });
}
