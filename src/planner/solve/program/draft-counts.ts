/** The variables and rows of a program of counts (`count-program.ts`). */
import { at, found } from '../../../checked-access.js';
import type { EndsOf } from '../device-places.js';
import type { Problem } from '../problem.js';
import { fillableBytes, mostFitting, peaksOf, scarceResources } from '../resources.js';
import { ProgramDraft, type Term } from './integer-program.js';
import { busyMs, type Objective } from './objective.js';
import { addShare, type DeviceShare } from './device-share.js';
import { nameOrder, type NameOrder } from './name-order.js';
import { groupsOf, type Group, type Order } from './runs.js';

/** Bytes are counted in these, which keeps the program's numbers close together. */
const MIB = 2 ** 20;

/** Place -> the column that says how many it gets; closed places are left out. */
type Counts = ReadonlyMap<number, number>;

/** A group's variables. */
export interface GroupColumns {
  readonly group: Group;
  /** By kind. */
  readonly counts: readonly Counts[];
  /** By device, of runs. */
  readonly shares: ReadonlyMap<number, DeviceShare>;
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

export function draftCounts(
  problem: Problem,
  options: CountOptions,
  endsOf: EndsOf,
): { draft: ProgramDraft; groups: GroupColumns[]; names: NameOrder } {
  const { objective = 'sum', order = 'runs', mostMs = Infinity, between = () => [0, Infinity] as const } = options;
  const { homes, items } = problem;
  const isSum = objective === 'sum';
  const draft = new ProgramDraft();
  const devices = [...new Set(homes)];
  const deviceOf = (choice: readonly number[], i: number): number => at(homes, at(choice, i));
  /** The places of a device that are open to a kind, and their columns. */
  const countsOn = (device: number, counts: Counts): [place: number, column: number][] =>
    [...counts].filter(([place]) => homes[place] === device);

  /** Per resource that can run out, its terms in MiB, and the heights that its largest peak may reach, with a column that says whether it does. */
  const rooms = scarceResources(problem).map((resource) => {
    const peakOf = (p: number, i: number): number => at(at(at(items, i).peak, p), resource);
    const [none = 0, ...heights] = peaksOf(problem, resource);
    const levels = heights.map((bytes) => {
      const value = (choice: readonly number[]): number => Number(choice.some((p, i) => peakOf(p, i) >= bytes));
      return { bytes, column: draft.column({ value }) };
    });
    const terms = levels.map(({ bytes, column }, k): Term => {
      const below = levels[k - 1];
      if (below !== undefined) draft.atMost(column, below.column);
      return [column, (bytes - (below?.bytes ?? none)) / MIB];
    });
    return { resource, levels, terms };
  });

  /** Limits on counts, such as what a place can hold, are what makes the relaxation close. */
  const addCounts = (kind: readonly number[]): Counts => {
    const item = at(items, at(kind, 0));
    const counts = new Map<number, number>();
    for (const [place, cost] of item.cost.entries()) {
      const [least, most] = between(kind, place);
      const inTime = cost > 0 ? Math.floor(mostMs / cost) : Infinity;
      const upper = Math.min(kind.length, mostFitting(problem, item, place), inTime, most);
      if (cost === Infinity || upper < 1) continue;
      const value = (choice: readonly number[]): number => kind.filter((i) => choice[i] === place).length;
      const column = draft.column({ upper, cost: isSum ? cost : 0, value });
      counts.set(place, column);
      if (least > 0) draft.row([[column, 1]], { low: least });
      for (const { resource, levels, terms } of rooms) {
        const peak = at(at(item.peak, place), resource);
        const use = at(at(item.use, place), resource);
        const reached = levels.find(({ bytes }) => bytes === peak);
        if (reached !== undefined)
          draft.row(
            [
              [column, 1],
              [reached.column, -upper],
            ],
            { high: 0 },
          );
        if (use > 0) terms.push([column, use / MIB]);
      }
    }
    draft.sum([...counts.values()], kind.length);
    return counts;
  };

  const addGroup = (group: Group): GroupColumns => {
    const counts = group.kinds.map(addCounts);
    const shares = new Map<number, DeviceShare>();
    for (const device of group.isRun ? devices : []) {
      const columns = counts.map((own) => countsOn(device, own).map(([, column]) => column));
      // The least that it costs to enter or leave the device within the run.
      const ends = group.items.slice(1).map((i) => found(endsOf(at(at(items, i).inputs, 0).cost).byDevice, device));
      const isHeld = (choice: readonly number[], i: number): boolean => deviceOf(choice, i) === device;
      if (columns.flat().length > 0) shares.set(device, addShare(draft, group, columns, Math.min(...ends), isHeld));
    }
    for (const side of group.items.length > 1 && group.isRun ? (['first', 'last'] as const) : []) {
      const columns = [...shares.values()].map((own) => own[side]);
      draft.sum(columns, 1);
    }
    // Where two devices share a stretch, each leaves whenever the other enters.
    const [one, other, third] = [...shares.values()];
    if (group.kinds.length > 1 && one !== undefined && other !== undefined && third === undefined) {
      const back = other.crossings.map(([column, factor]): Term => [column, -factor]);
      draft.row([...one.crossings, ...back], { low: 0, high: 0 });
    }
    return { group, counts, shares };
  };
  const groups = groupsOf(problem, isSum ? order : 'kinds').map(addGroup);

  // Items that share their place have equal counts.
  const countsOf = new Map(
    groups.flatMap(({ group, counts }) =>
      group.kinds.flatMap((kind, k) => kind.map((i) => [i, at(counts, k)] as const)),
    ),
  );
  for (const [i, { sameAs, cost }] of items.entries()) {
    for (const place of sameAs === null ? [] : cost.keys()) {
      const sides = [found(countsOf, i).get(place), found(countsOf, sameAs ?? i).get(place)];
      const terms = sides.flatMap((column, side): Term[] => (column === undefined ? [] : [[column, 1 - 2 * side]]));
      if (terms.length > 0) draft.row(terms, { low: 0, high: 0 });
    }
  }

  // Between runs either side pays its end unless both are on one device.
  const sharesOf = new Map(groups.flatMap(({ group, shares }) => group.items.map((i) => [i, shares] as const)));
  for (const { group, shares } of groups.filter((own) => own.group.isRun)) {
    const to = at(group.items, 0);
    for (const { from, cost } of at(items, to).inputs) {
      for (const [device, end] of endsOf(cost).byDevice) {
        const sources = found(sharesOf, from);
        const sides = [sources.get(device)?.last, shares.get(device)?.first].filter((column) => column !== undefined);
        if (sources.size === 0) continue;
        for (const column of sides) draft.charge(column, end);
        if (sides.length < 2 || end === 0) continue;
        const value = (choice: readonly number[]): number =>
          Number([from, to].every((i) => deviceOf(choice, i) === device));
        const both = draft.column({ cost: -2 * end, value });
        for (const column of sides) draft.atMost(both, column);
      }
    }
  }

  if (!isSum) {
    const value = (choice: readonly number[]): number => Math.max(...busyMs(problem, choice).values());
    const busiest = draft.column({ upper: mostMs, cost: 1, whole: false, value });
    for (const device of devices) {
      const terms = groups.flatMap(({ group, counts }) =>
        counts.flatMap((own, k) => {
          const { cost } = at(items, at(at(group.kinds, k), 0));
          return countsOn(device, own).map(([place, column]): Term => [column, at(cost, place)]);
        }),
      );
      draft.row([...terms, [busiest, -1]], { high: 0 });
    }
  }
  for (const { resource, terms } of rooms) draft.row(terms, { high: fillableBytes(problem, resource) / MIB });

  // Equal devices are kept in one order of their names; the largest group has the most to tell them apart by.
  const { group, counts } = groups.reduce((a, b) => (b.group.items.length > a.group.items.length ? b : a));
  const kinds = groups.flatMap((own) => own.group.kinds.map((kind) => at(items, at(kind, 0))));
  const names = nameOrder(problem, kinds, group.items, endsOf);
  const heldBy = (device: number, factor: number): Term[] =>
    counts.flatMap((own) => countsOn(device, own).map(([, column]): Term => [column, factor]));
  for (const equal of names.equal) {
    for (const [k, next] of equal.slice(1).entries())
      draft.row([...heldBy(at(equal, k), 1), ...heldBy(next, -1)], { low: 0 });
  }
  return { draft, groups, names };
}
