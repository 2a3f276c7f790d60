/**
 * A placement problem as an integer program of counts: per run of items alike and place how many of the run it gets. Who
 * holds the item before a run may hold the run's first, who holds the one after its last, and every other device that takes
 * part is entered and left once. So forty equal blocks are a few variables, and equal placements are one.
 */
import type { Problem } from '../problem.js';
import { crossingEnds, type EndsOf } from './crossing-ends.js';
import { ProgramDraft, type IntegerProgram, type Term } from './integer-program.js';
import { canRunOut, peaksOf } from './room.js';
import { runsOf, type Run } from './runs.js';
import { spread, type RunCounts } from './spread.js';

export interface CountProgram {
  readonly program: IntegerProgram;
  /** A placement with the counts of these values; it costs what they cost, and fits if they keep to the rows exactly. */
  readonly choiceOf: (values: Float64Array) => number[];
}

/** What is minimised: what all items and crossings cost, or what the items of the busiest device cost. */
export type CountObjective = 'sum' | 'busiest';

/** Bytes are counted in these, which keeps the program's numbers close together. */
const MIB = 2 ** 20;

/** A run's variables. */
interface RunColumns {
  readonly run: Run;
  /** Place -> how many it gets; closed places are left out. */
  readonly counts: ReadonlyMap<number, number>;
  /** Device -> whether it holds the first, the last. */
  readonly firsts: ReadonlyMap<number, number>;
  readonly lasts: ReadonlyMap<number, number>;
}

/** Null where the problem is no such program: crossings have to be sums of two ends. */
export function countProgram(problem: Problem, objective: CountObjective = 'sum'): CountProgram | null {
  const endsOf = crossingEnds(problem.homes);
  const crossings = problem.items.flatMap(({ inputs }) => inputs.map(({ cost }) => cost));
  if (crossings.some((crossing) => endsOf(crossing) === null)) return null;
  const builder = new CountBuilder(problem, objective, endsOf);
  const runs = builder.build();
  return {
    program: builder.draft.finished(),
    choiceOf: (values) => {
      const valueOf = (column: number): number => Math.round(values[column] ?? 0);
      const owner = (columns: ReadonlyMap<number, number>): number =>
        [...columns].find(([, column]) => valueOf(column) > 0)?.[0] ?? -1;
      const choice: number[] = [];
      for (const { run, counts, firsts, lasts } of runs) {
        const own: RunCounts = {
          counts: new Map([...counts].map(([place, column]) => [place, valueOf(column)])),
          first: owner(firsts),
          last: owner(lasts),
        };
        for (const [k, place] of spread(own, problem.homes).entries()) choice[run[k] ?? 0] = place;
      }
      return choice;
    },
  };
}

class CountBuilder {
  readonly draft = new ProgramDraft();
  private readonly problem: Problem;
  private readonly objective: CountObjective;
  private readonly endsOf: EndsOf;
  private readonly devices: readonly number[];
  /** Per resource that can run out, its terms in MiB. */
  private readonly room = new Map<number, Term[]>();
  /** Per such resource, the heights that its largest peak may have, and the column that says which it is. */
  private readonly levels = new Map<number, readonly Level[]>();

  constructor(problem: Problem, objective: CountObjective, endsOf: EndsOf) {
    this.problem = problem;
    this.objective = objective;
    this.endsOf = endsOf;
    this.devices = [...new Set(problem.homes)];
  }

  build(): RunColumns[] {
    const { problem, draft } = this;
    for (const [r, capacity] of problem.capacities.entries()) {
      if (!canRunOut(problem, r, capacity)) continue;
      const levels = peaksOf(problem, r).map((bytes): Level => ({ bytes, column: draft.column(1) }));
      draft.row(
        levels.map(({ column }): Term => [column, 1]),
        { low: 1, high: 1 },
      );
      this.levels.set(r, levels);
      this.room.set(
        r,
        levels.map(({ bytes, column }): Term => [column, bytes / MIB]),
      );
    }
    const runs = runsOf(problem).map((run) => this.addRun(run));
    this.addTies(runs);
    if (this.objective === 'sum') this.addCrossings(runs);
    else this.addBusiest(runs);
    for (const [r, terms] of this.room) draft.row(terms, { high: (problem.capacities[r] ?? 0) / MIB });
    return runs;
  }

  private addRun(run: Run): RunColumns {
    const { draft, devices, objective } = this;
    const { homes, items } = this.problem;
    const size = run.length;
    const counts = this.addCounts(run);
    draft.row(
      [...counts.values()].map((column): Term => [column, 1]),
      { low: size, high: size },
    );
    const firsts = new Map<number, number>();
    const lasts = new Map<number, number>();
    if (objective === 'busiest') return { run, counts, firsts, lasts };
    const ends = this.endsOf(items[run[1] ?? -1]?.inputs[0]?.cost ?? []);
    for (const device of devices) {
      const own = [...counts].flatMap(([place, column]): Term[] => (homes[place] === device ? [[column, 1]] : []));
      if (own.length === 0) continue;
      if (size === 1) {
        const here = draft.column(1);
        draft.row([...own, [here, -1]], { low: 0, high: 0 });
        firsts.set(device, here);
        lasts.set(device, here);
        continue;
      }
      const end = ends?.get(device) ?? 0;
      const some = draft.column(1, 2 * end);
      const whole = draft.column(1);
      const twice = draft.column(1, 2 * end);
      const first = draft.column(1, -end);
      const last = draft.column(1, -end);
      draft.row([...own, [some, -size]], { high: 0 });
      draft.row([...own, [whole, -size]], { low: 0 });
      draft.row([...own, [twice, -2]], { low: 0 });
      for (const column of [some, first, last]) draft.row([...own, [column, -1]], { low: 0 });
      for (const column of [first, last]) {
        draft.row(
          [
            [some, 1],
            [column, -1],
          ],
          { low: 0 },
        );
      }
      // Holding both ends without all in between means being there twice.
      draft.row(
        [
          [first, 1],
          [last, 1],
          [whole, -1],
          [twice, -1],
        ],
        { high: 1 },
      );
      firsts.set(device, first);
      lasts.set(device, last);
    }
    if (size > 1) {
      for (const side of [firsts, lasts]) {
        draft.row(
          [...side.values()].map((column): Term => [column, 1]),
          { low: 1, high: 1 },
        );
      }
    }
    return { run, counts, firsts, lasts };
  }

  private addCounts(run: Run): Map<number, number> {
    const { draft, room, objective } = this;
    const { items, capacities } = this.problem;
    const item = items[run[0] ?? -1];
    const counts = new Map<number, number>();
    for (const [place, cost] of (item?.cost ?? []).entries()) {
      const use = item?.use[place] ?? [];
      const peak = item?.peak[place] ?? [];
      if (cost === Infinity || capacities.some((capacity, r) => (use[r] ?? 0) + (peak[r] ?? 0) > capacity)) continue;
      const column = draft.column(run.length, objective === 'sum' ? cost : 0);
      counts.set(place, column);
      for (const [r, levels] of this.levels) {
        const enough = levels.filter(({ bytes }) => bytes >= (peak[r] ?? 0));
        if (enough.length === levels.length) continue;
        draft.row([[column, 1], ...enough.map((level): Term => [level.column, -run.length])], { high: 0 });
      }
      for (const [r, terms] of room) if ((use[r] ?? 0) > 0) terms.push([column, (use[r] ?? 0) / MIB]);
    }
    return counts;
  }

  /** Items that share their place have equal counts. */
  private addTies(runs: readonly RunColumns[]): void {
    const of = new Map(runs.flatMap((own) => own.run.map((i) => [i, own.counts] as const)));
    for (const [i, { sameAs }] of this.problem.items.entries()) {
      if (sameAs === null) continue;
      const mine = of.get(i) ?? new Map<number, number>();
      const theirs = of.get(sameAs) ?? new Map<number, number>();
      for (const place of new Set([...mine.keys(), ...theirs.keys()])) {
        const terms: Term[] = [];
        const [a, b] = [mine.get(place), theirs.get(place)];
        if (a !== undefined) terms.push([a, 1]);
        if (b !== undefined) terms.push([b, -1]);
        this.draft.row(terms, { low: 0, high: 0 });
      }
    }
  }

  /** Between runs: either side pays its end unless both are on one device. */
  private addCrossings(runs: readonly RunColumns[]): void {
    const { draft, endsOf } = this;
    const lastsOf = new Map(runs.flatMap((own) => own.run.map((i) => [i, own.lasts] as const)));
    for (const { run, firsts } of runs) {
      for (const { from, cost } of this.problem.items[run[0] ?? -1]?.inputs ?? []) {
        const sources = lastsOf.get(from);
        for (const [device, end] of endsOf(cost) ?? []) {
          const sides = [sources?.get(device), firsts.get(device)].filter((column) => column !== undefined);
          for (const column of sides) draft.charge(column, end);
          if (sides.length < 2 || end === 0) continue;
          const both = draft.column(1, -2 * end);
          for (const column of sides) {
            draft.row(
              [
                [both, 1],
                [column, -1],
              ],
              { high: 0 },
            );
          }
        }
      }
    }
  }

  private addBusiest(runs: readonly RunColumns[]): void {
    const { draft } = this;
    const { homes, items } = this.problem;
    const busiest = draft.column(Infinity, 1, false);
    for (const device of this.devices) {
      const terms = runs.flatMap(({ run, counts }) =>
        [...counts].flatMap(([place, column]): Term[] =>
          homes[place] === device ? [[column, items[run[0] ?? -1]?.cost[place] ?? 0]] : [],
        ),
      );
      draft.row([...terms, [busiest, -1]], { high: 0 });
    }
  }
}

/** One of the heights that the largest peak on a resource may have. */
interface Level {
  readonly bytes: number;
  readonly column: number;
}
