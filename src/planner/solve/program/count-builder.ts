/** The variables and rows of a program of counts (`count-program.ts`). */
import { at, found } from '../../../checked-access.js';
import type { EndsOf } from '../crossing-ends.js';
import type { Item, Problem } from '../problem.js';
import { canRunOut, mostFitting, peaksOf } from '../resources.js';
import { ProgramDraft, type Term } from './integer-program.js';
import { busyMs, type Objective } from './objective.js';
import { addShares, type Share } from './device-shares.js';
import { NameOrder } from './name-order.js';
import { groupsOf, type Group, type Order } from './runs.js';

/** Bytes are counted in these, which keeps the program's numbers close together. */
const MIB = 2 ** 20;

/** A group's variables. */
export interface GroupColumns {
  readonly group: Group;
  /** By kind: place -> how many it gets; closed places are left out. */
  readonly counts: readonly ReadonlyMap<number, number>[];
  /** Device -> whether it holds the first, the last; of runs. */
  readonly firsts: ReadonlyMap<number, number>;
  readonly lasts: ReadonlyMap<number, number>;
}

/** One of the heights that the largest peak on a resource may have. */
interface Level {
  readonly bytes: number;
  readonly column: number;
}

export interface CountOptions {
  readonly objective?: Objective;
  /** Anything but `runs` leaves crossings out: what the program comes to is a bound then. */
  readonly order?: Order;
  /** For `busiest`: no device may take longer. */
  readonly mostMs?: number;
  /** How many of these items a place may get. */
  readonly between?: (items: readonly number[], place: number) => readonly [least: number, most: number];
}

export class CountBuilder {
  readonly draft = new ProgramDraft();
  private readonly problem: Problem;
  private readonly objective: Objective;
  private readonly order: Order;
  private readonly mostMs: number;
  private readonly between: CountOptions['between'];
  private readonly endsOf: EndsOf;
  private readonly devices: readonly number[];
  /** Per resource that can run out, its terms in MiB. */
  private readonly room = new Map<number, Term[]>();
  /** Per such resource, the heights that its largest peak may have, and the column that says which it is. */
  private readonly levels = new Map<number, readonly Level[]>();

  constructor(
    problem: Problem,
    { objective = 'sum', order = 'runs', mostMs = Infinity, between }: CountOptions,
    endsOf: EndsOf,
  ) {
    this.problem = problem;
    this.objective = objective;
    this.order = objective === 'busiest' ? 'kinds' : order;
    this.mostMs = mostMs;
    this.between = between;
    this.endsOf = endsOf;
    this.devices = [...new Set(problem.homes)];
  }

  build(): { groups: GroupColumns[]; names: NameOrder } {
    const { problem, draft } = this;
    for (const [r] of problem.capacities.entries()) if (canRunOut(problem, r)) this.addRoom(r);
    const groups = groupsOf(problem, this.order).map((group) => this.addGroup(group));
    this.addTies(groups);
    if (this.objective === 'sum') this.addCrossings(groups);
    else this.addBusiest(groups);
    for (const [r, terms] of this.room) draft.row(terms, { high: at(problem.capacities, r) / MIB });
    return { groups, names: this.addNameOrder(groups) };
  }

  /** What keeps equal devices in one order of their names; the largest group has the most to tell them apart by. */
  private addNameOrder(groups: readonly GroupColumns[]): NameOrder {
    const { draft, problem } = this;
    const { group, counts } = groups.reduce((a, b) => (b.group.items.length > a.group.items.length ? b : a));
    const terms = (device: number, factor: number): Term[] =>
      counts.flatMap((own) =>
        [...own].flatMap(([place, column]): Term[] => (problem.homes[place] === device ? [[column, factor]] : [])),
      );
    const order = new NameOrder(problem, group.items);
    for (const [a, b] of order.pairs) draft.row([...terms(a, 1), ...terms(b, -1)], { low: 0 });
    return order;
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

  private addGroup(group: Group): GroupColumns {
    const { draft } = this;
    const { homes, items } = this.problem;
    const kinds = group.kinds.map((kind) => this.addCounts(kind, at(items, at(kind, 0))));
    const firsts = new Map<number, number>();
    const lasts = new Map<number, number>();
    const crossings: (readonly Term[])[] = [];
    for (const device of group.isRun ? this.devices : []) {
      const shares = kinds.flatMap(({ counts, most }, kind) =>
        [...counts].flatMap(([place, column]): Share[] =>
          homes[place] === device ? [{ kind, column, most: found(most, place) }] : [],
        ),
      );
      if (shares.length === 0) continue;
      const held = addShares(draft, group, shares, {
        endCost: this.endCost(group, device),
        isHeld: (choice, i) => homes[at(choice, i)] === device,
      });
      firsts.set(device, held.first);
      lasts.set(device, held.last);
      crossings.push(held.crossings);
    }
    // Whoever is left, another is entered.
    for (const own of group.kinds.length > 1 ? crossings : []) {
      const others = crossings.filter((other) => other !== own).flat();
      draft.row([...own, ...others.map(([column, factor]): Term => [column, -factor])], { high: 0 });
    }
    if (group.isRun && group.items.length > 1) {
      for (const side of [firsts, lasts]) {
        draft.row(
          [...side.values()].map((column): Term => [column, 1]),
          { low: 1, high: 1 },
        );
      }
    }
    return { group, counts: kinds.map(({ counts }) => counts), firsts, lasts };
  }

  /** The least that it costs to enter or leave a device within a run. */
  private endCost({ items: run }: Group, device: number): number {
    const { items } = this.problem;
    return Math.min(...run.slice(1).map((i) => found(this.endsOf(at(at(items, i).inputs, 0).cost).byDevice, device)));
  }

  /** Per open place, how many it gets, and how many it can hold at most. */
  private addCounts(run: readonly number[], item: Item): { counts: Map<number, number>; most: Map<number, number> } {
    const { draft, room, objective, problem } = this;
    const counts = new Map<number, number>();
    const mosts = new Map<number, number>();
    for (const [place, cost] of item.cost.entries()) {
      const fitting = mostFitting(problem, item, place);
      const inTime = cost > 0 ? Math.floor(this.mostMs / cost) : Infinity;
      const [least, most] = this.between?.(run, place) ?? [0, Infinity];
      const upper = Math.min(run.length, fitting, inTime, most);
      if (cost === Infinity || upper < 1) continue;
      const column = draft.column({
        upper,
        cost: objective === 'sum' ? cost : 0,
        value: (choice) => run.filter((i) => choice[i] === place).length,
      });
      counts.set(place, column);
      mosts.set(place, upper);
      if (least > 0) draft.row([[column, 1]], { low: least });
      const use = at(item.use, place);
      for (const [r, levels] of this.levels) {
        const peak = at(at(item.peak, place), r);
        const enough = levels.filter(({ bytes }) => bytes >= peak);
        if (enough.length === levels.length) continue;
        draft.row([[column, 1], ...enough.map((level): Term => [level.column, -upper])], { high: 0 });
      }
      for (const [r, terms] of room) if (at(use, r) > 0) terms.push([column, at(use, r) / MIB]);
    }
    draft.row(
      [...counts.values()].map((column): Term => [column, 1]),
      { low: run.length, high: run.length },
    );
    return { counts, most: mosts };
  }

  /** Items that share their place have equal counts. */
  private addTies(groups: readonly GroupColumns[]): void {
    const of = new Map(
      groups.flatMap(({ group, counts }) =>
        group.kinds.flatMap((kind, k) => kind.map((i) => [i, at(counts, k)] as const)),
      ),
    );
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
  private addCrossings(groups: readonly GroupColumns[]): void {
    const { draft, endsOf, problem } = this;
    const runs = groups.filter(({ group }) => group.isRun);
    const lastsOf = new Map(runs.flatMap((own) => own.group.items.map((i) => [i, own.lasts] as const)));
    for (const { group, firsts } of runs) {
      const to = at(group.items, 0);
      for (const { from, cost } of at(problem.items, to).inputs) {
        const sources = lastsOf.get(from);
        if (sources === undefined) continue;
        for (const [device, end] of endsOf(cost).byDevice) {
          const sides = [sources.get(device), firsts.get(device)].filter((column) => column !== undefined);
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

  private addBusiest(groups: readonly GroupColumns[]): void {
    const { draft, problem } = this;
    const { homes, items } = problem;
    const busiest = draft.column({
      upper: this.mostMs,
      cost: 1,
      whole: false,
      value: (choice) => Math.max(...busyMs(problem, choice).values()),
    });
    for (const device of this.devices) {
      const terms = groups.flatMap(({ group, counts }) =>
        counts.flatMap((own, k) =>
          [...own].flatMap(([place, column]): Term[] =>
            homes[place] === device ? [[column, at(at(items, at(at(group.kinds, k), 0)).cost, place)]] : [],
          ),
        ),
      );
      draft.row([...terms, [busiest, -1]], { high: 0 });
    }
  }
}
