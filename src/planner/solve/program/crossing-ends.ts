/** Crossings as sums of two ends: what it costs to leave a device, and to enter one. */
import type { Input } from '../problem.js';

/** How far a crossing may be from the sum of its ends, in units of cost. */
const SAME = 1e-9;

/** Device (of `homes`) -> what it costs to enter or leave it; null where crossings are no such sums. */
export type EndsOf = (crossing: Input['cost']) => ReadonlyMap<number, number> | null;

export function crossingEnds(homes: readonly number[]): EndsOf {
  const devices = [...new Set(homes)];
  const known = new Map<Input['cost'], ReadonlyMap<number, number> | null>();
  return (crossing) => {
    const found = known.get(crossing);
    if (found !== undefined) return found;
    const ends = endsOf(crossing, homes, devices);
    known.set(crossing, ends);
    return ends;
  };
}

function endsOf(
  crossing: Input['cost'],
  homes: readonly number[],
  devices: readonly number[],
): ReadonlyMap<number, number> | null {
  const between = (a: number, b: number): number => crossing[homes.indexOf(a)]?.[homes.indexOf(b)] ?? 0;
  const ends = new Map<number, number>();
  for (const a of devices) {
    const [b, c] = devices.filter((other) => other !== a);
    if (b === undefined) ends.set(a, 0);
    else if (c === undefined) ends.set(a, between(a, b) / 2);
    else ends.set(a, (between(a, b) + between(a, c) - between(b, c)) / 2);
  }
  if ([...ends.values()].some((end) => end < 0)) return null;
  for (const [p, a] of homes.entries()) {
    for (const [q, b] of homes.entries()) {
      const sum = a === b ? 0 : (ends.get(a) ?? 0) + (ends.get(b) ?? 0);
      if (Math.abs((crossing[p]?.[q] ?? 0) - sum) > SAME) return null;
    }
  }
  return ends;
}
