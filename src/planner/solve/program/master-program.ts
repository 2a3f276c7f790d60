/** The linear program that mixes loads (`mixtures.ts`): every item is taken, and every device mixes loads to a whole at most. */
import { at, found } from '../../../checked-access.js';
import type { Chain } from '../chain.js';
import { crossingEnds } from '../crossing-ends.js';
import { outerResources } from '../decomposition.js';
import type { DevicePlaces } from '../device-places.js';
import { realAt, wholeAt } from '../number-at.js';
import type { Problem } from '../problem.js';
import { ProgramDraft, type IntegerSolver, type Term } from './integer-program.js';
import type { Bond, Load, LoadDevice, Worth } from './loads.js';
import type { Objective } from './objective.js';
import { groupsOf } from './runs.js';

const MIB = 2 ** 20;

export interface KnownLoad {
  readonly device: number;
  readonly load: Load;
  /** Of the range of peaks that it is for; -1: for all. */
  readonly part: number;
  readonly cost: number;
  readonly terms: readonly Term[];
}

export interface Mixture {
  readonly value: number;
  readonly duals: Float64Array;
  /** How much of each load is in it. */
  readonly shares: ReadonlyMap<KnownLoad, number>;
}

export class MasterProgram {
  readonly devices: readonly LoadDevice[];
  /** Of the dual of each kind of item: what leaving one out costs, which has to be dear. */
  most: Float64Array;
  private readonly loads: KnownLoad[] = [];
  private readonly chain: Chain;
  private readonly isSum: boolean;
  private readonly whole: number;
  private readonly kinds: readonly (readonly number[])[];
  private readonly kindOf: Int32Array;
  /** Resources that places of several devices use. */
  private readonly outer: readonly number[];

  /** @param whole more than any load is worth */
  constructor(
    problem: Problem,
    chain: Chain,
    places: readonly DevicePlaces[],
    { objective, whole }: { readonly objective: Objective; readonly whole: number },
  ) {
    this.chain = chain;
    this.isSum = objective === 'sum';
    this.whole = whole;
    this.devices = places.map((own) => ({
      places: this.isSum ? own : { ...own, endCosts: own.endCosts.map(() => 0) },
      bonds: bondsOf(problem, at(problem.homes, at(own.places, 0)), objective),
    }));
    // The ends of a run are told apart, so that no two devices are spared the same crossing.
    this.kinds = groupsOf(problem, this.isSum ? 'mixed' : 'kinds').flatMap(({ items, isRun }) =>
      isRun && items.length > 2 ? [items.slice(0, 1), items.slice(1, -1), items.slice(-1)] : [items],
    );
    this.kindOf = new Int32Array(chain.items);
    for (const [k, items] of this.kinds.entries()) for (const i of items) this.kindOf[i] = k;
    this.outer = outerResources(chain, places);
    this.most = new Float64Array(this.kinds.length).fill(whole);
  }

  /** Duals to begin with: of items (per item) and of bytes (per resource). */
  firstDuals(items: Float64Array, bytes: Float64Array): Float64Array {
    const { devices, kinds, outer, isSum } = this;
    const cost = isSum ? 1 : 1 / devices.length;
    return Float64Array.from([
      ...kinds.map((own) => (cost * own.reduce((sum, i) => sum + Math.max(0, realAt(items, i)), 0)) / own.length),
      ...outer.map((r) => -cost * realAt(bytes, r) * MIB),
      ...devices.map(() => 0),
      ...(isSum ? [] : devices.map(() => -cost)),
    ]);
  }

  /** What items and bytes are worth to a device, and what its loads have to earn beside. */
  worth(duals: Float64Array, device: number): Worth & { readonly least: number } {
    const { chain, devices, kinds, outer, whole } = this;
    const bytes = new Float64Array(chain.resources);
    for (const [k, r] of outer.entries()) bytes[r] = -realAt(duals, kinds.length + k) / MIB;
    const row = kinds.length + outer.length + device;
    return {
      items: Float64Array.from(this.kindOf, (k) => realAt(duals, k)),
      bytes,
      cost: this.isSum ? 1 : -realAt(duals, row + devices.length),
      whole,
      least: -realAt(duals, row),
    };
  }

  /** What all items are worth together, less the bytes that several devices share: with what devices earn taken off, a bound. */
  worthOfAll(duals: Float64Array): number {
    const { chain, kinds, outer } = this;
    const items = kinds.reduce((sum, { length }, k) => sum + length * realAt(duals, k), 0);
    return outer.reduce(
      (sum, r, k) => sum + (realAt(duals, kinds.length + k) * realAt(chain.capacities, r)) / MIB,
      items,
    );
  }

  /** Adds a load, and returns whether the mixture with these duals would be cheaper with it. */
  add(device: number, part: number, load: Load, duals: Float64Array): boolean {
    const { chain, devices, kinds, outer, isSum } = this;
    const { places, bonds } = at(devices, device);
    const firstDevice = kinds.length + outer.length;
    const here = new Set(load.map(([i]) => i));
    let cost = 0;
    const terms: Term[] = [[firstDevice + device, 1]];
    for (const [i, p] of load) {
      const ip = i * chain.places + p;
      cost += realAt(chain.cost, ip);
      if (!here.has(i - 1)) cost += realAt(places.endCosts, i);
      if (!here.has(i + 1)) cost += realAt(places.endCosts, i + 1);
      terms.push([wholeAt(this.kindOf, i), 1]);
      for (const [k, r] of outer.entries()) {
        terms.push([kinds.length + k, realAt(chain.use, ip * chain.resources + r) / MIB]);
      }
    }
    for (const { source, reader, end } of bonds) if (here.has(source) !== here.has(reader)) cost += end;
    // A bond that was not looked at.
    if (cost === Infinity) return false;
    if (!isSum) terms.push([firstDevice + devices.length + device, cost]);
    const own = { device, load, part, cost: isSum ? cost : 0, terms };
    this.loads.push(own);
    return terms.reduce((sum, [row, factor]) => sum - factor * realAt(duals, row), own.cost) < -1e-7 * this.whole;
  }

  /** The cheapest mixture for a part; null where the solver tells no duals. */
  mixture(part: number, solver: IntegerSolver): Mixture | null {
    const { chain, devices, kinds, outer, isSum } = this;
    const draft = new ProgramDraft();
    const terms: Term[][] = [...kinds, ...outer, ...devices, ...(isSum ? [] : devices)].map(() => []);
    const put = (cost: number, own: readonly Term[]): number => {
      const column = draft.column({ upper: Infinity, cost, whole: false, value: () => 0 });
      for (const [row, factor] of own) at(terms, row).push([column, factor]);
      return column;
    };
    for (const [k] of kinds.entries()) put(realAt(this.most, k), [[k, 1]]);
    const firstTime = kinds.length + outer.length + devices.length;
    if (!isSum)
      put(
        1,
        Array.from(devices, (_, d): Term => [firstTime + d, -1]),
      );
    const loads = this.loads.filter((own) => own.part < 0 || own.part === part);
    const columns = loads.map((own) => put(own.cost, own.terms));
    for (const [row, own] of terms.entries()) {
      const kind = kinds[row];
      const resource = outer[row - kinds.length];
      if (kind !== undefined) draft.row(own, { low: kind.length });
      else if (resource !== undefined) draft.row(own, { high: realAt(chain.capacities, resource) / MIB });
      else draft.row(own, { high: row < firstTime ? 1 : 0 });
    }
    const { values, bound, duals = null } = solver(draft.program(), { cutoff: Infinity, stop: () => false });
    if (values === null || duals === null) return null;
    return {
      value: bound,
      duals: this.admissible(duals),
      shares: new Map(loads.map((own, n) => [own, realAt(values, at(columns, n))])),
    };
  }

  /** Within a solver's tolerances, but exactly: of the right signs, and no more than a unit for all the devices' times. */
  private admissible(duals: Float64Array): Float64Array {
    const { devices, kinds, outer, isSum } = this;
    const result = duals.map((dual, row) => (row < kinds.length ? Math.max(0, dual) : Math.min(0, dual)));
    const firstTime = kinds.length + outer.length + devices.length;
    const times = isSum ? 1 : -result.slice(firstTime).reduce((a, b) => a + b, 0);
    return times <= 1 ? result : result.map((dual, row) => (row < firstTime ? dual : dual / times));
  }
}

function bondsOf({ items, homes }: Problem, home: number, objective: Objective): Bond[] {
  const endsOf = crossingEnds(homes);
  return items.flatMap(({ sameAs, inputs }, reader): Bond[] => [
    ...(sameAs === null ? [] : [{ source: sameAs, reader, end: Infinity }]),
    ...inputs.flatMap(({ from, cost }): Bond[] =>
      objective === 'sum' && from !== reader - 1
        ? [{ source: from, reader, end: found(endsOf(cost).byDevice, home) }]
        : [],
    ),
  ]);
}
