/** One order of the names of equal devices, so that of placements that differ only in such names a program has one. */
import { at } from '../../../checked-access.js';
import { equalDevices, exchanged } from '../equal-devices.js';
import type { Problem } from '../problem.js';

export class NameOrder {
  /** Equal devices, of which the second holds no more of the items than the first. */
  readonly pairs: readonly (readonly [number, number])[];
  private readonly problem: Problem;
  private readonly items: readonly number[];

  constructor(problem: Problem, items: readonly number[]) {
    const devices = [...new Set(problem.homes)];
    this.problem = problem;
    this.items = items;
    this.pairs = Array.from(equalDevices(problem, devices), (a, b) => [a, b] as const)
      .filter(([a]) => a >= 0)
      .map(([a, b]) => [at(devices, a), at(devices, b)]);
  }

  /** The placement with equal devices named in that order. */
  ordered(choice: readonly number[]): readonly number[] {
    const { pairs, problem } = this;
    let named = choice;
    // Going over neighbours once for each of them sorts them.
    for (let pass = 0; pass < pairs.length; pass++) {
      for (const [a, b] of pairs) {
        if (this.heldBy(a, named) >= this.heldBy(b, named)) continue;
        const places = exchanged(problem, a, b);
        named = named.map((p) => at(places, p));
      }
    }
    return named;
  }

  private heldBy(device: number, choice: readonly number[]): number {
    return this.items.filter((i) => this.problem.homes[at(choice, i)] === device).length;
  }
}
