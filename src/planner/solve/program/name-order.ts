/**
 * Devices that could change names without changing the problem, and one order of their names, so that of placements that differ
 * only in such names a program has one.
 */
import { at, found } from '../../../checked-access.js';
import type { EndsOf } from '../device-places.js';
import type { Item, Problem } from '../problem.js';

export interface NameOrder {
  /** Lists of equal devices, of which each holds no more of some items than the one before. */
  readonly equal: readonly (readonly number[])[];
  /** The placement with equal devices named in that order. */
  readonly ordered: (choice: readonly number[]) => readonly number[];
}

/**
 * @param kinds an item of each kind
 * @param items those that the order is by
 * @param endsOf crossings, as exact sums of two ends
 */
export function nameOrder(
  problem: Problem,
  kinds: readonly Item[],
  items: readonly number[],
  endsOf: EndsOf,
): NameOrder {
  const { homes, capacities } = problem;
  const placesOf = (device: number): number[] => homes.flatMap((home, p) => (home === device ? [p] : []));
  const crossings = [...new Set(problem.items.flatMap(({ inputs }) => inputs.map(({ cost }) => cost)))];
  const alike = new Map<string, number[]>();
  for (const device of new Set(homes)) {
    const places = placesOf(device);
    const isShared = kinds.some(({ use, peak }) =>
      homes.some((home, p) => home !== device && at(at(use, p), device) + at(at(peak, p), device) > 0),
    );
    const bytesOf = (row: readonly number[]): number[] => [at(row, device), ...row.with(device, 0)];
    const key = JSON.stringify([
      isShared ? device : -1,
      at(capacities, device),
      crossings.map((crossing) => found(endsOf(crossing).byDevice, device)),
      kinds.map(({ cost, use, peak }) => places.map((p) => [at(cost, p), bytesOf(at(use, p)), bytesOf(at(peak, p))])),
    ]);
    alike.set(key, [...(alike.get(key) ?? []), device]);
  }
  const equal = [...alike.values()].filter(({ length }) => length > 1);
  const ordered = (choice: readonly number[]): readonly number[] => {
    const heldBy = (device: number): number => items.filter((i) => homes[at(choice, i)] === device).length;
    const named = [...homes.keys()];
    for (const devices of equal) {
      for (const [k, device] of devices.toSorted((a, b) => heldBy(b) - heldBy(a)).entries()) {
        const places = placesOf(at(devices, k));
        for (const [n, p] of placesOf(device).entries()) named[p] = at(places, n);
      }
    }
    return choice.map((p) => at(named, p));
  };
  return { equal, ordered };
}
