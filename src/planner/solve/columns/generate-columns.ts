/**
 * What items are worth to the devices, settled exactly: a linear program over whole placements of single devices, to which
 * each round adds the best placement of every device at the program's prices (column generation). The sum of all worths less
 * what the devices could earn is a bound in every round, and the worths tell good placements from others.
 */
import type { Chain } from '../chain.js';
import { bestTake, mayTake, type DeviceBidder } from './device-bidder.js';
import { RestrictedMaster, type MasterColumn } from './restricted-master.js';

/** Devices that are alike, and bid alike. */
export interface BidderClass {
  readonly bidder: DeviceBidder;
  readonly count: number;
}

export interface ColumnOptions {
  /** Worths per item to begin with. */
  readonly start: Float64Array;
  /** Placements known to fit, place per item. */
  readonly seeds: readonly (readonly number[])[];
  readonly rounds: number;
  /** Bounds beyond this are of no interest. */
  readonly upper: () => number;
  readonly stop: () => boolean;
}

export interface Worths {
  readonly bound: number;
  /** Per item. */
  readonly worth: Float64Array;
  readonly rounds: number;
}

/** How much of the best worths so far goes into the next: raw prices of the program jump about. */
const KEPT = 0.6;
/** How far worths may move from the best so far at first, as a fraction. */
const FIRST_SPREAD = 0.1;

/** `kinds`: items whose worths are one number. */
export function generateColumns(
  chain: Chain,
  classes: readonly BidderClass[],
  kinds: Int32Array,
  { start, seeds, rounds, upper, stop }: ColumnOptions,
): Worths {
  const kindCount = Math.max(...kinds) + 1;
  const members = new Float64Array(kindCount);
  for (const kind of kinds) members[kind] = (members[kind] ?? 0) + 1;
  const limits = [...members, ...classes.map(({ count }) => count)];
  const master = new RestrictedMaster(limits, kindCount);
  let center = new Float64Array(kindCount);
  for (const [i, kind] of kinds.entries()) center[kind] = (center[kind] ?? 0) + (start[i] ?? 0) / (members[kind] ?? 1);
  let spread = center.map((worth) => FIRST_SPREAD * Math.abs(worth));
  const widest = Math.max(...center.map(Math.abs));
  spread = spread.map((own) => own + 1e-4 * widest);
  const known: MasterColumn[][] = classes.map(() => []);
  const seen = new Set<string>();
  const add = (k: number, places: ArrayLike<number>): boolean => {
    const column = columnOf(chain, classes, kinds, kindCount, k, places);
    const key = `${k}:${column.rows.join(';')}:${column.cost.toPrecision(12)}`;
    if (seen.has(key) || column.rows.length === 1) return false;
    seen.add(key);
    known[k]?.push(column);
    master.add(column);
    return true;
  };
  for (const seed of seeds) {
    for (const [k, { bidder }] of classes.entries()) {
      const own = new Set(bidder.share.places);
      const places = seed.map((p) => (own.has(p) ? p : -1));
      if (mayTake(chain, bidder, places)) add(k, places);
    }
  }
  let best: Worths = { bound: -Infinity, worth: start, rounds: 0 };
  for (let round = 0; round < rounds && !stop(); round++) {
    master.keepNear(center, spread);
    master.solve();
    const raw = master.duals.slice(0, kindCount);
    let added = false;
    for (const kept of round === 0 ? [1] : [KEPT, 0]) {
      const used = raw.map((price, g) => kept * (center[g] ?? 0) + (1 - kept) * price);
      const worth = Float64Array.from(kinds, (kind) => used[kind] ?? 0);
      let bound = worth.reduce((sum, value) => sum + value, 0);
      for (const [k, { bidder, count }] of classes.entries()) {
        const least = Math.max(0, ...(known[k] ?? []).map((column) => earned(column, used)));
        const take = bestTake(bidder, worth, least);
        bound -= count * Math.max(least, take?.value ?? -Infinity);
        if (take !== null && add(k, take.places)) added = true;
      }
      if (bound > best.bound) {
        best = { bound, worth, rounds: round + 1 };
        center = used;
      }
      // The program's own prices are asked only where the calmer ones had nothing new.
      if (added) break;
    }
    if (best.bound >= upper()) break;
    if (added) continue;
    if (!master.strained) break;
    spread = spread.map((own) => 2 * own);
  }
  return best;
}

/** What a column earns at these prices of kinds. */
function earned({ cost, rows }: MasterColumn, prices: Float64Array): number {
  let value = -cost;
  for (const [row, factor] of rows) value += factor * (prices[row] ?? 0);
  return value;
}

function columnOf(
  chain: Chain,
  classes: readonly BidderClass[],
  kinds: Int32Array,
  kindCount: number,
  k: number,
  places: ArrayLike<number>,
): MasterColumn {
  const tolls = classes[k]?.bidder.share.tolls;
  const taken = new Map<number, number>();
  let cost = 0;
  let here = false;
  for (let i = 0; i < chain.items; i++) {
    const place = places[i] ?? -1;
    if (place >= 0 !== here) cost += tolls?.[i] ?? 0;
    here = place >= 0;
    if (!here) continue;
    cost += chain.cost[i * chain.places + place] ?? Infinity;
    const kind = kinds[i] ?? 0;
    taken.set(kind, (taken.get(kind) ?? 0) + 1);
  }
  return { cost, rows: [...taken, [kindCount + k, 1]] };
}
