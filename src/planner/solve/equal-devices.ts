/**
 * Devices that could change names without changing the problem. Of placements that differ only in such names the search
 * looks at one.
 */
import { at } from '../../checked-access.js';
import { realAt, wholeAt } from './number-at.js';
import type { Chain } from './chain.js';
import type { Problem } from './problem.js';

/** Per resource of the chain, the one before it that is equal, or -1. */
export function equalDevices(problem: Problem, chain: Chain): Int32Array {
  const before = new Int32Array(chain.resources).fill(-1);
  for (let b = 1; b < chain.resources; b++) {
    for (let a = b - 1; a >= 0 && wholeAt(before, b) === -1; a--) {
      if (
        realAt(chain.capacities, a) === realAt(chain.capacities, b) &&
        interchangeable(problem, at(chain.kept, a), at(chain.kept, b))
      ) {
        before[b] = a;
      }
    }
  }
  return before;
}

function interchangeable(problem: Problem, a: number, b: number): boolean {
  const membersOf = (home: number): number[] => problem.homes.flatMap((own, p) => (own === home ? [p] : []));
  const first = membersOf(a);
  const second = membersOf(b);
  if (first.length !== second.length) return false;
  const places = Array.from({ length: problem.places }, (_, p) => p);
  for (const [k, p] of first.entries()) {
    const q = at(second, k);
    places[p] = q;
    places[q] = p;
  }
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
