/** The linear program that mixes loads (`mixtures.ts`): every item is taken, and every device mixes loads to a whole at most. */
import { at, found } from '../../../checked-access.js';
import type { Chain } from '../chain.js';
import { crossingEnds } from '../device-places.js';
import { outerResources } from '../decomposition.js';
import { realAt, wholeAt } from '../number-at.js';
import type { Problem } from '../problem.js';
import { ProgramDraft, type IntegerSolver, type Term } from './integer-program.js';
import type { Bond, Load, Worth } from './loads.js';
import type { Objective } from './objective.js';
import { groupsOf } from './runs.js';

const MIB = 2 ** 20;

export interface KnownLoad {
  readonly device: number;
  readonly load: Load;
  /** Of the range of peaks that it is for; -1: for all. */
  readonly part: number;
  /** Rows, and what it takes of each. */
  readonly terms: readonly Term[];
}

export interface Mixture {
  readonly value: number;
  readonly duals: Float64Array;
  /** How much of each load is in it. */
  readonly shares: ReadonlyMap<KnownLoad, number>;
}

export type MasterProgram = ReturnType<typeof masterProgram>;

/**
 * Duals are those of its rows: of kinds of items, of bytes that several devices share, of devices, of clocks.
 * @param problem without crossings where the busiest device counts
 * @param whole more than any load is worth
 */
export function masterProgram(
  problem: Problem,
  chain: Chain,
  { objective, whole }: { readonly objective: Objective; readonly whole: number },
) {
  const isSum = objective === 'sum';
  const devices = chain.devices.map((own) => ({ places: own, bonds: bondsOf(problem, own.home) }));
  // The ends of a run are told apart, so that no two devices are spared the same crossing.
  const kinds = groupsOf(problem, isSum ? 'mixed' : 'kinds').flatMap(({ items, isRun }) =>
    isRun && items.length > 2 ? [items.slice(0, 1), items.slice(1, -1), items.slice(-1)] : [items],
  );
  const kindOf = new Int32Array(chain.items);
  for (const [k, items] of kinds.entries()) for (const i of items) kindOf[i] = k;
  const outer = outerResources(chain);
  const firstDevice = kinds.length + outer.length;
  const firstClock = firstDevice + devices.length;
  /** One clock that runs whenever a device does, or one for each where the busiest counts. */
  const clocks = isSum ? [firstClock] : devices.map((_, d) => firstClock + d);
  const clockOf = (device: number): number => (isSum ? firstClock : firstClock + device);
  const loads: KnownLoad[] = [];

  /** Within a solver's tolerances, but exactly: of the right signs, and no more than a unit for all the clocks. */
  const admissible = (duals: Float64Array): Float64Array => {
    const signed = duals.map((dual, row) => (row < kinds.length ? Math.max(0, dual) : Math.min(0, dual)));
    const time = clocks.reduce((sum, row) => sum - realAt(signed, row), 0);
    return time <= 1 ? signed : signed.map((dual, row) => (row < firstClock ? dual : dual / time));
  };

  return {
    devices,
    /** Duals to begin with: from those of items (per item) and of bytes (per resource). */
    firstDuals: (items: Float64Array, bytes: Float64Array): Float64Array => {
      const cost = 1 / clocks.length;
      const worthOf = (own: readonly number[]): number =>
        own.reduce((sum, i) => sum + Math.max(0, realAt(items, i)), 0);
      return Float64Array.from([
        ...kinds.map((own) => (cost * worthOf(own)) / own.length),
        ...outer.map((r) => -cost * realAt(bytes, r) * MIB),
        ...devices.map(() => 0),
        ...clocks.map(() => -cost),
      ]);
    },
    /** What items and bytes are worth to a device, and what its loads have to earn beside. */
    worth: (duals: Float64Array, device: number): Worth & { readonly least: number } => {
      const bytes = new Float64Array(chain.resources);
      for (const [k, r] of outer.entries()) bytes[r] = -realAt(duals, kinds.length + k) / MIB;
      const items = Float64Array.from(kindOf, (k) => realAt(duals, k));
      return {
        items,
        bytes,
        whole,
        cost: -realAt(duals, clockOf(device)),
        least: -realAt(duals, firstDevice + device),
      };
    },
    /** What all items are worth together, less the bytes that several devices share: with what devices earn taken off, a bound. */
    worthOfAll: (duals: Float64Array): number => {
      const items = kinds.reduce((sum, { length }, k) => sum + length * realAt(duals, k), 0);
      const bytesOf = (r: number, k: number): number => realAt(duals, kinds.length + k) * realAt(chain.capacities, r);
      return outer.reduce((sum, r, k) => sum + bytesOf(r, k) / MIB, items);
    },
    /** Adds a load, and returns whether the mixture with these duals would be cheaper with it. */
    add: (device: number, part: number, load: Load, duals: Float64Array): boolean => {
      const { places: own, bonds } = at(devices, device);
      const here = new Set(load.map(([i]) => i));
      let cost = 0;
      const terms: Term[] = [[firstDevice + device, 1]];
      for (const [i, p] of load) {
        const ip = i * chain.places + p;
        cost += realAt(chain.cost, ip);
        if (!here.has(i - 1)) cost += realAt(own.endCosts, i);
        if (!here.has(i + 1)) cost += realAt(own.endCosts, i + 1);
        terms.push([wholeAt(kindOf, i), 1]);
        for (const [k, r] of outer.entries())
          terms.push([kinds.length + k, realAt(chain.use, ip * chain.resources + r) / MIB]);
      }
      for (const { source, reader, end } of bonds) if (here.has(source) !== here.has(reader)) cost += end;
      // A bond that was not looked at.
      if (cost === Infinity) return false;
      terms.push([clockOf(device), cost]);
      loads.push({ device, load, part, terms });
      return terms.reduce((sum, [row, factor]) => sum + factor * realAt(duals, row), 0) > 1e-7 * whole;
    },
    /**
     * The cheapest mixture for a part; null where the solver tells no duals.
     * @param dear duals of kinds of items, none of which is far exceeded: what leaving an item out costs
     */
    mixture: (part: number, solver: IntegerSolver, dear: Float64Array | null): Mixture | null => {
      const draft = new ProgramDraft();
      const terms = Array.from({ length: firstClock + clocks.length }, (): Term[] => []);
      const put = (cost: number, own: readonly Term[]): number => {
        const column = draft.column({ upper: Infinity, cost, whole: false, value: () => 0 });
        for (const [row, factor] of own) at(terms, row).push([column, factor]);
        return column;
      };
      for (const k of kinds.keys()) put(dear === null ? whole : 2 * realAt(dear, k), [[k, 1]]);
      const time = clocks.map((row): Term => [row, -1]);
      put(1, time);
      const own = loads.filter((each) => each.part < 0 || each.part === part);
      const columns = own.map((each) => put(0, each.terms));
      for (const [row, each] of terms.entries()) {
        const resource = outer[row - kinds.length];
        const room = resource === undefined ? 1 : realAt(chain.capacities, resource) / MIB;
        if (row < kinds.length) draft.row(each, { low: at(kinds, row).length });
        else draft.row(each, { high: row < firstClock ? room : 0 });
      }
      const { values, bound, duals = null } = solver(draft.program(), { cutoff: Infinity, stop: () => false });
      if (values === null || duals === null) return null;
      const shares = new Map(own.map((each, n) => [each, realAt(values, at(columns, n))]));
      return { value: bound, duals: admissible(duals), shares };
    },
  };
}

/** Of items that are no neighbours. */
function bondsOf({ items, homes }: Problem, home: number): Bond[] {
  const endsOf = crossingEnds(homes);
  return items.flatMap(({ sameAs, inputs }, reader): Bond[] => [
    ...(sameAs === null ? [] : [{ source: sameAs, reader, end: Infinity }]),
    ...inputs
      .filter(({ from }) => from !== reader - 1)
      .map(({ from, cost }): Bond => ({ source: from, reader, end: found(endsOf(cost).byDevice, home) })),
  ]);
}
