/**
 * Devices that could change names without changing the problem. Of placements that differ only in such names the search
 * looks at one.
 */
import { at } from '../../checked-access.js';
import { numberAt, wholeAt } from './number-at.js';
import type { Problem } from './problem.js';

/** Per device of a list (each the resource that it fills), the place in the list of an equal one before it, or -1. */
export function equalDevices(problem: Problem, devices: readonly number[]): Int32Array {
  const capacityOf = (k: number): number => numberAt(problem.capacities, numberAt(devices, k));
  const before = new Int32Array(devices.length).fill(-1);
  for (let b = 1; b < devices.length; b++) {
    for (let a = b - 1; a >= 0 && wholeAt(before, b) === -1; a--) {
      if (capacityOf(a) === capacityOf(b) && interchangeable(problem, at(devices, a), at(devices, b))) before[b] = a;
    }
  }
  return before;
}

/** The places with those of two devices exchanged, the first for the first. */
export function exchanged({ homes }: Problem, a: number, b: number): number[] {
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

function interchangeable(problem: Problem, a: number, b: number): boolean {
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
