/**
 * A problem as its devices see it. Every place belongs to the device that runs it; a device gains nothing from a
 * neighbour on itself and pays a toll whenever the chain enters or leaves it. Where transition costs are a sum of two
 * ends, as copies between devices are, tolls lose nothing; elsewhere they are a lower bound.
 */
import type { Chain } from './chain.js';
import type { Problem } from './problem.js';

export interface DeviceShare {
  readonly places: readonly number[];
  /** The chain's resource that its places fill, or -1 where that cannot run out. */
  readonly resource: number;
  /** Per item: what it costs to enter or leave the device between the previous item and this one. */
  readonly tolls: Float64Array;
}

export function deviceShares(problem: Problem, chain: Chain): DeviceShare[] {
  const homes = [...new Set(problem.homes)];
  const members = homes.map((home) => problem.homes.flatMap((own, p) => (own === home ? [p] : [])));
  const tolls = homes.map(() => new Float64Array(chain.items));
  const known = new Map<object, number[]>();
  for (const [i, item] of problem.items.entries()) {
    for (const input of item.inputs) {
      if (i === 0 || input.from !== i - 1) continue;
      const found = known.get(input.cost) ?? tollsOf(members, input.cost);
      known.set(input.cost, found);
      for (const [d, toll] of found.entries()) {
        const row = tolls[d];
        if (row !== undefined) row[i] = (row[i] ?? 0) + toll;
      }
    }
  }
  return homes.map((home, d) => ({
    places: members[d] ?? [],
    resource: chain.kept.indexOf(home),
    tolls: tolls[d] ?? new Float64Array(chain.items),
  }));
}

/** The largest tolls of which no two exceed the cost of going from one device to the other. */
function tollsOf(members: readonly (readonly number[])[], cost: readonly (readonly number[])[]): number[] {
  const between = members.map((a, i) =>
    members.map((b, j) => {
      if (i === j) return 0;
      let least = Infinity;
      for (const p of a) for (const q of b) least = Math.min(least, cost[p]?.[q] ?? 0, cost[q]?.[p] ?? 0);
      return least;
    }),
  );
  const at = (a: number, b: number): number => between[a]?.[b] ?? 0;
  return members.map((_, a) => {
    const others = members.map((__, b) => b).filter((b) => b !== a);
    let toll = others.length === 0 ? 0 : Math.min(...others.map((b) => at(a, b)));
    if (others.length === 1) toll /= 2;
    for (const b of others) {
      for (const c of others) if (c !== b) toll = Math.min(toll, (at(a, b) + at(a, c) - at(b, c)) / 2);
    }
    return Math.max(0, toll);
  });
}
