/** The variables and rows of a program of counts (`count-program.ts`). */
import { at, found } from '../../../checked-access.js';
import type { EndsOf } from '../crossing-ends.js';
import type { Item, Problem } from '../problem.js';
import { canRunOut, peaksOf } from '../resources.js';
import { ProgramDraft, type Term } from './integer-program.js';
import { busyMs, type Objective } from './objective.js';
import { kindsOf, runsOf, type Run } from './runs.js';

/** Bytes are counted in these, which keeps the program's numbers close together. */
const MIB = 2 ** 20;

/** A run's variables. */
export interface RunColumns {
  readonly run: Run;
  /** Place -> how many it gets; closed places are left out. */
  readonly counts: ReadonlyMap<number, number>;
  /** Device -> whether it holds the first, the last. */
  readonly firsts: ReadonlyMap<number, number>;
  readonly lasts: ReadonlyMap<number, number>;
}

/** One of the heights that the largest peak on a resource may have. */
interface Level {
  readonly bytes: number;
  readonly column: number;
}

export class CountBuilder {
  readonly draft = new ProgramDraft();
  private readonly problem: Problem;
  private readonly objective: Objective;
  private readonly mostMs: number;
  private readonly endsOf: EndsOf;
  private readonly devices: readonly number[];
  /** Per resource that can run out, its terms in MiB. */
  private readonly room = new Map<number, Term[]>();
  /** Per such resource, the heights that its largest peak may have, and the column that says which it is. */
  private readonly levels = new Map<number, readonly Level[]>();

  constructor(problem: Problem, objective: Objective, mostMs: number, endsOf: EndsOf) {
    this.problem = problem;
    this.objective = objective;
    this.mostMs = mostMs;
    this.endsOf = endsOf;
    this.devices = [...new Set(problem.homes)];
  }

  build(): RunColumns[] {
    const { problem, draft } = this;
    for (const [r] of problem.capacities.entries()) if (canRunOut(problem, r)) this.addRoom(r);
    const groups = this.objective === 'sum' ? runsOf(problem) : kindsOf(problem);
    const runs = groups.map((run) => this.addRun(run));
    this.addTies(runs);
    if (this.objective === 'sum') this.addCrossings(runs);
    else this.addBusiest(runs);
    for (const [r, terms] of this.room) draft.row(terms, { high: at(problem.capacities, r) / MIB });
    return runs;
  }

  private addRoom(r: number): void {
    const { draft, problem } = this;
    const peaks = peaksOf(problem, r);
    const highest = (choice: readonly number[]): number =>
      Math.max(0, ...choice.map((p, i) => at(at(at(problem.items, i).peak, p), r)));
    const levels = peaks.map((bytes): Level => ({
      bytes,
      column: draft.column({ value: (choice) => Number(highest(choice) === bytes) }),
    }));
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

  private addRun(run: Run): RunColumns {
    const { draft, devices, objective } = this;
    const { homes, items } = this.problem;
    const size = run.length;
    const [start, end] = [at(run, 0), at(run, size - 1)];
    const { counts, most } = this.addCounts(run, at(items, start));
    draft.row(
      [...counts.values()].map((column): Term => [column, 1]),
      { low: size, high: size },
    );
    const firsts = new Map<number, number>();
    const lasts = new Map<number, number>();
    if (objective === 'busiest') return { run, counts, firsts, lasts };
    const holds = (choice: readonly number[], i: number, device: number): boolean => homes[at(choice, i)] === device;
    for (const device of devices) {
      const places = [...counts.keys()].filter((place) => homes[place] === device);
      if (places.length === 0) continue;
      const own = places.map((place): Term => [found(counts, place), 1]);
      if (size === 1) {
        const here = draft.column({ value: (choice) => Number(holds(choice, start, device)) });
        draft.row([...own, [here, -1]], { low: 0, high: 0 });
        firsts.set(device, here);
        lasts.set(device, here);
        continue;
      }
      const room = places.reduce((sum, place) => sum + found(most, place), 0);
      const crossing = at(at(items, at(run, 1)).inputs, 0).cost;
      const cost = found(this.endsOf(crossing).byDevice, device);
      const held = (choice: readonly number[]): number => run.filter((i) => holds(choice, i, device)).length;
      const atFirst = (choice: readonly number[]): boolean => holds(choice, start, device);
      const atLast = (choice: readonly number[]): boolean => holds(choice, end, device);
      const some = draft.column({ cost: 2 * cost, value: (choice) => Number(held(choice) > 0) });
      const first = draft.column({ cost: -cost, value: (choice) => Number(atFirst(choice)) });
      const last = draft.column({ cost: -cost, value: (choice) => Number(atLast(choice)) });
      const twice = draft.column({
        cost: 2 * cost,
        value: (choice) => Number(atFirst(choice) && atLast(choice) && held(choice) < size),
      });
      draft.row([...own, [some, -Math.min(size, room)]], { high: 0 });
      draft.row([...own, [twice, -2]], { low: 0 });
      for (const column of [some, first, last]) draft.row([...own, [column, -1]], { low: 0 });
      for (const column of [first, last]) draft.atMost(column, some);
      // Holding both ends without all in between means being there twice.
      const both: Term[] = [
        [first, 1],
        [last, 1],
        [twice, -1],
      ];
      if (room >= size) {
        const whole = draft.column({ value: (choice) => Number(held(choice) === size) });
        draft.row([...own, [whole, -size]], { low: 0 });
        both.push([whole, -1]);
      }
      draft.row(both, { high: 1 });
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

  /** Per open place, how many it gets, and how many it can hold at most. */
  private addCounts(run: Run, item: Item): { counts: Map<number, number>; most: Map<number, number> } {
    const { draft, room, objective, problem } = this;
    const counts = new Map<number, number>();
    const most = new Map<number, number>();
    for (const [place, cost] of item.cost.entries()) {
      const fitting = mostFitting(problem, item, place);
      const inTime = cost > 0 ? Math.floor(this.mostMs / cost) : Infinity;
      const upper = Math.min(run.length, fitting, inTime);
      if (cost === Infinity || upper < 1) continue;
      const column = draft.column({
        upper,
        cost: objective === 'sum' ? cost : 0,
        value: (choice) => run.filter((i) => choice[i] === place).length,
      });
      counts.set(place, column);
      most.set(place, upper);
      const use = at(item.use, place);
      for (const [r, levels] of this.levels) {
        const peak = at(at(item.peak, place), r);
        const enough = levels.filter(({ bytes }) => bytes >= peak);
        if (enough.length === levels.length) continue;
        draft.row([[column, 1], ...enough.map((level): Term => [level.column, -upper])], { high: 0 });
      }
      for (const [r, terms] of room) if (at(use, r) > 0) terms.push([column, at(use, r) / MIB]);
    }
    return { counts, most };
  }

  /** Items that share their place have equal counts. */
  private addTies(runs: readonly RunColumns[]): void {
    const of = new Map(runs.flatMap((own) => own.run.map((i) => [i, own.counts] as const)));
    for (const [i, { sameAs }] of this.problem.items.entries()) {
      if (sameAs === null) continue;
      const [mine, theirs] = [of.get(i), of.get(sameAs)];
      for (const place of new Set([...(mine?.keys() ?? []), ...(theirs?.keys() ?? [])])) {
        const terms: Term[] = [];
        const [a, b] = [mine?.get(place), theirs?.get(place)];
        if (a !== undefined) terms.push([a, 1]);
        if (b !== undefined) terms.push([b, -1]);
        this.draft.row(terms, { low: 0, high: 0 });
      }
    }
  }

  /** Between runs: either side pays its end unless both are on one device. */
  private addCrossings(runs: readonly RunColumns[]): void {
    const { draft, endsOf, problem } = this;
    const lastsOf = new Map(runs.flatMap((own) => own.run.map((i) => [i, own.lasts] as const)));
    for (const { run, firsts } of runs) {
      const to = at(run, 0);
      for (const { from, cost } of at(problem.items, to).inputs) {
        const sources = lastsOf.get(from);
        for (const [device, end] of endsOf(cost).byDevice) {
          const sides = [sources?.get(device), firsts.get(device)].filter((column) => column !== undefined);
          for (const column of sides) draft.charge(column, end);
          if (sides.length < 2 || end === 0) continue;
          const both = draft.column({
            cost: -2 * end,
            value: (choice) => Number([from, to].every((i) => problem.homes[at(choice, i)] === device)),
          });
          for (const column of sides) draft.atMost(both, column);
        }
      }
    }
  }

  private addBusiest(runs: readonly RunColumns[]): void {
    const { draft, problem } = this;
    const { homes, items } = problem;
    const busiest = draft.column({
      upper: this.mostMs,
      cost: 1,
      whole: false,
      value: (choice) => Math.max(...busyMs(problem, choice).values()),
    });
    for (const device of this.devices) {
      const terms = runs.flatMap(({ run, counts }) =>
        [...counts].flatMap(([place, column]): Term[] =>
          homes[place] === device ? [[column, at(at(items, at(run, 0)).cost, place)]] : [],
        ),
      );
      draft.row([...terms, [busiest, -1]], { high: 0 });
    }
  }
}

/** How many of an item alone a place can hold. */
function mostFitting({ capacities }: Problem, item: Item, place: number): number {
  const fitting = capacities.map((capacity, r) => {
    const room = capacity - at(at(item.peak, place), r);
    const use = at(at(item.use, place), r);
    return use === 0 ? (room < 0 ? 0 : Infinity) : Math.floor(room / use);
  });
  return Math.min(...fitting);
}
