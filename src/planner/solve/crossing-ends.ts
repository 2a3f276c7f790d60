/** Crossings as sums of two ends: what it costs to leave a device, and to enter one. */
import { at, found } from '../../checked-access.js';
import type { Input } from './problem.js';

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
  const known = new Map<Crossing, CrossingEnds>();
  return (crossing) => {
    const ends = known.get(crossing) ?? endsOf(crossing, homes);
    known.set(crossing, ends);
    return ends;
  };
}

function endsOf(crossing: Crossing, homes: readonly number[]): CrossingEnds {
  const devices = [...new Set(homes)];
  const members = devices.map((device) => homes.flatMap((own, p) => (own === device ? [p] : [])));
  const between = members.map((a) =>
    members.map((b) =>
      Math.min(...a.flatMap((p) => b.flatMap((q) => [at(at(crossing, p), q), at(at(crossing, q), p)]))),
    ),
  );
  const least = (a: number, b: number): number => at(at(between, a), b);
  const ends = devices.map((_, a) => {
    const others = [...devices.keys()].filter((b) => b !== a);
    let end = others.length === 0 ? 0 : Math.min(...others.map((b) => least(a, b)));
    if (others.length === 1) end /= 2;
    for (const b of others) {
      for (const c of others) if (c !== b) end = Math.min(end, (least(a, b) + least(a, c) - least(b, c)) / 2);
    }
    return Math.max(0, end);
  });
  const byDevice = new Map(devices.map((device, d) => [device, at(ends, d)]));
  const sum = (a: number, b: number): number => (a === b ? 0 : found(byDevice, a) + found(byDevice, b));
  const isExact = homes.every((a, p) => homes.every((b, q) => Math.abs(at(at(crossing, p), q) - sum(a, b)) <= SAME));
  return { byDevice, isExact };
}
