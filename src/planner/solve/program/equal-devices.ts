/**
 * Devices that could change names without changing the problem. Of placements that differ only in such names a program has
 * one: the second of two equal devices holds no more of some items than the first.
 */
import { at } from '../../../checked-access.js';
import type { Problem } from '../problem.js';

type Pair = readonly [number, number];

/** Devices, each with an equal one before it. */
export function equalDevices(problem: Problem): Pair[] {
  const devices = [...new Set(problem.homes)];
  return devices.flatMap((b, k): Pair[] => {
    const a = devices.slice(0, k).findLast((other) => areEqual(problem, other, b));
    return a === undefined ? [] : [[a, b]];
  });
}

/** The placement with equal devices named in order of how many of some items they hold, the most first. */
export function inNameOrder(
  problem: Problem,
  pairs: readonly Pair[],
  items: readonly number[],
  choice: readonly number[],
): readonly number[] {
  let named = choice;
  const heldBy = (device: number): number => items.filter((i) => problem.homes[at(named, i)] === device).length;
  // Going over neighbours once for each of them sorts them.
  for (let pass = 0; pass < pairs.length; pass++) {
    for (const [a, b] of pairs) {
      if (heldBy(a) >= heldBy(b)) continue;
      const places = exchanged(problem, a, b);
      named = named.map((p) => at(places, p));
    }
  }
  return named;
}

/** The places with those of two devices exchanged, the first for the first. */
function exchanged({ homes }: Problem, a: number, b: number): number[] {
  const membersOf = (device: number): number[] => homes.flatMap((own, p) => (own === device ? [p] : []));
  const second = membersOf(b);
  const places = [...homes.keys()];
  for (const [k, p] of membersOf(a).entries()) {
    const q = at(second, k);
    places[p] = q;
    places[q] = p;
  }
  return places;
}

function areEqual(problem: Problem, a: number, b: number): boolean {
  if (problem.capacities[a] !== problem.capacities[b]) return false;
  const countOf = (device: number): number => problem.homes.filter((own) => own === device).length;
  if (countOf(a) !== countOf(b)) return false;
  const places = exchanged(problem, a, b);
  const resources = problem.capacities.map((_, r) => (r === a ? b : r === b ? a : r));
  const known = new Set<object>();
  const same = (rows: readonly (readonly number[])[], columns: readonly number[]): boolean => {
    if (known.has(rows)) return true;
    known.add(rows);
    return rows.every((row, p) => row.every((value, c) => value === at(at(rows, at(places, p)), at(columns, c))));
  };
  return problem.items.every(
    (item) =>
      item.cost.every((cost, p) => cost === at(item.cost, at(places, p))) &&
      same(item.use, resources) &&
      same(item.peak, resources) &&
      item.inputs.every(({ cost }) => same(cost, places)),
  );
}
