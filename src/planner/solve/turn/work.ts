/**
 * A placement problem without its crossings: kinds of items of which only the numbers matter, and devices that may take
 * them, each for so long and within so many bytes.
 */
import type { Problem } from '../problem.js';

export interface Work {
  readonly kinds: readonly Kind[];
  readonly devices: readonly Device[];
  /** Bytes there are of what several devices use. */
  readonly shared: readonly number[];
}

/** Items that are alike. Items that must share their place are one. */
export interface Kind {
  /** Per item of the kind, its numbers in the problem. */
  readonly members: readonly (readonly number[])[];
}

export interface Device {
  readonly options: readonly Option[];
  /** Bytes of the memory that it alone uses. */
  readonly bytes: number;
  /** What its options may add for the time that they run, ascending from none; the largest one used counts. */
  readonly peaks: readonly number[];
  /** The first device that is equal to it: itself or an earlier one. */
  readonly like: number;
}

/** A kind of items in one of a device's places. */
export interface Option {
  readonly kind: number;
  readonly place: number;
  readonly ms: number;
  /** Bytes of the device's own memory. */
  readonly bytes: number;
  readonly peak: number;
  /** Bytes per shared resource. */
  readonly shared: readonly number[];
}

/** Items that share their place, as one. */
interface Group {
  readonly members: number[];
  readonly cost: number[];
  readonly use: number[][];
  readonly peak: number[][];
}

/**
 * The problem as work. Resources that several devices use may have peaks, too: one `Work` for every combination of the heights
 * that they may reach. A placement belongs to at least one of them.
 */
export function worksOf(problem: Problem): Work[] {
  const groups = groupsOf(problem);
  const homes = [...new Set(problem.homes)];
  const scarce = problem.capacities.flatMap((capacity, r) => (canRunOut(problem, groups, r, capacity) ? [r] : []));
  const users = (r: number): number[] =>
    homes.filter((home) =>
      groups.some(({ cost, use, peak }) =>
        cost.some(
          (ms, p) => ms < Infinity && problem.homes[p] === home && ((use[p]?.[r] ?? 0) > 0 || (peak[p]?.[r] ?? 0) > 0),
        ),
      ),
    );
  const own = scarce.filter((r) => users(r).every((home) => home === r));
  const common = scarce.filter((r) => !own.includes(r));
  let heights: number[][] = [[]];
  for (const r of common) {
    const peaks = [
      ...new Set([
        0,
        ...groups.flatMap(({ cost, peak }) => cost.flatMap((ms, p) => (ms < Infinity ? [peak[p]?.[r] ?? 0] : []))),
      ]),
    ].sort((a, b) => b - a);
    heights = heights.flatMap((before) => peaks.map((peak) => [...before, peak]));
  }
  return heights.flatMap((height) => {
    const shared = common.map((r, k) => (problem.capacities[r] ?? 0) - (height[k] ?? 0));
    if (shared.some((bytes) => bytes < 0)) return [];
    const open = (group: Group, p: number): boolean =>
      (group.cost[p] ?? Infinity) < Infinity && common.every((r, k) => (group.peak[p]?.[r] ?? 0) <= (height[k] ?? 0));
    return [workOf(problem, groups, { homes, own, common, shared, open })];
  });
}

interface Split {
  readonly homes: readonly number[];
  readonly own: readonly number[];
  readonly common: readonly number[];
  readonly shared: readonly number[];
  readonly open: (group: Group, place: number) => boolean;
}

function workOf(problem: Problem, groups: readonly Group[], { homes, own, common, shared, open }: Split): Work {
  const kinds = new Map<string, { readonly sample: Group; readonly members: number[][] }>();
  for (const group of groups) {
    const key = [group.cost.join(), ...group.use.map((row) => row.join()), ...group.peak.map((row) => row.join())].join(
      ';',
    );
    const kind = kinds.get(key);
    if (kind === undefined) kinds.set(key, { sample: group, members: [group.members] });
    else kind.members.push(group.members);
  }
  const devices: Device[] = [];
  const signatures: string[] = [];
  for (const home of homes) {
    const isOwn = own.includes(home);
    const capacity = isOwn ? (problem.capacities[home] ?? 0) : 0;
    const options = [...kinds.values()].flatMap(({ sample }, kind) =>
      sample.cost.flatMap((ms, place): Option[] => {
        if (problem.homes[place] !== home || !open(sample, place)) return [];
        const bytes = isOwn ? (sample.use[place]?.[home] ?? 0) : 0;
        const peak = isOwn ? (sample.peak[place]?.[home] ?? 0) : 0;
        const others = common.map((r) => sample.use[place]?.[r] ?? 0);
        if (bytes + peak > capacity || others.some((use, k) => use > (shared[k] ?? 0))) return [];
        return [{ kind, place, ms, bytes, peak, shared: others }];
      }),
    );
    if (options.length === 0) continue;
    const peaks = [...new Set([0, ...options.map(({ peak }) => peak)])].sort((a, b) => a - b);
    const signature = JSON.stringify([
      capacity,
      options.map(({ kind, ms, bytes, peak, shared: s }) => [kind, ms, bytes, peak, s]),
    ]);
    const like = signatures.indexOf(signature);
    devices.push({ options, bytes: capacity, peaks, like: like < 0 ? devices.length : like });
    signatures.push(signature);
  }
  return { kinds: [...kinds.values()].map(({ members }) => ({ members })), devices, shared };
}

function groupsOf({ items, places }: Problem): Group[] {
  const groups = new Map<number, Group>();
  for (const [i, { cost, use, peak, sameAs }] of items.entries()) {
    const known = sameAs === null ? undefined : groups.get(sameAs);
    if (known === undefined) {
      groups.set(i, {
        members: [i],
        cost: [...cost],
        use: use.map((row) => [...row]),
        peak: peak.map((row) => [...row]),
      });
      continue;
    }
    known.members.push(i);
    for (let p = 0; p < places; p++) {
      known.cost[p] = (known.cost[p] ?? 0) + (cost[p] ?? 0);
      known.use[p] = (known.use[p] ?? []).map((bytes, r) => bytes + (use[p]?.[r] ?? 0));
      known.peak[p] = (known.peak[p] ?? []).map((bytes, r) => Math.max(bytes, peak[p]?.[r] ?? 0));
    }
  }
  return [...groups.values()];
}

function canRunOut({ places }: Problem, groups: readonly Group[], r: number, capacity: number): boolean {
  let use = 0;
  let height = 0;
  for (const group of groups) {
    let most = 0;
    for (let p = 0; p < places; p++) {
      if ((group.cost[p] ?? Infinity) === Infinity) continue;
      most = Math.max(most, group.use[p]?.[r] ?? 0);
      height = Math.max(height, group.peak[p]?.[r] ?? 0);
    }
    use += most;
  }
  return use + height > capacity;
}
