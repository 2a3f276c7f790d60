/**
 * Bounds and good placements for three and more devices that can be full, where a walk along the chain has too much to
 * remember: device by device instead. What a device does for itself, peaks and whole items included, is settled exactly
 * (`device-bidder.ts`); what the devices owe each other goes through worths (`generate-columns.ts`); placements are put
 * together from what the worths say (`construct.ts`).
 */
import type { Chain, Levels } from '../chain.js';
import { deviceShares, type DeviceShare } from '../device-shares.js';
import { equalDevices } from '../equal-devices.js';
import { runsOf } from '../integer/runs.js';
import { rangesOf } from '../peaks.js';
import { polished } from '../polish.js';
import { bestBound } from '../prices.js';
import type { Problem, Solution } from '../problem.js';
import { firstWorths, kindsOf } from '../worths.js';
import { constructed } from './construct.js';
import { deviceBidder, type DeviceBidder } from './device-bidder.js';
import { generateColumns, type BidderClass } from './generate-columns.js';

export interface ManyLimits {
  /** Only placements cheaper than this are of interest. */
  readonly cutoff: number;
  readonly known: Solution | null;
  readonly stop: () => boolean;
}

export interface ManyResult {
  /** The best placement known. */
  readonly best: Solution | null;
  /** Nothing that fits costs less. */
  readonly bound: number;
  /** What items are worth where the bound is lowest; null where no round was made. */
  readonly worth: Float64Array | null;
}

/** Rounds of worths per case of peaks. */
const ROUNDS = 20;
/** Placements made in each case, from nothing and again from the best. */
const TRIALS = [25, 20, 10, 10];
/** Longer chains get fewer placements, each of which takes longer. */
const TRIAL_ITEMS = 120;
const MOST_KINDS = 64;
/** Most pairs of a device's front. */
const PAIRS = 600;
/** Ranges that the peaks of the device with the largest are cut into are no wider than this fraction of its capacity. */
const WIDTH = 1 / 64;
const PRICE_ROUNDS = 25;

/** The peaks of the device that has the largest lie in one range. */
interface PeakCase {
  readonly floors: Float64Array;
  readonly levels: Levels;
  readonly prices: Float64Array;
  readonly bound: number;
}

export function manyDevices(problem: Problem, chain: Chain, { cutoff, known, stop }: ManyLimits): ManyResult {
  let best = known;
  const upper = (): number => Math.min(cutoff, best?.cost ?? Infinity);
  const shares = deviceShares(problem, chain);
  const before = equalDevices(problem, chain);
  const kinds = kindsWithin(problem, chain);
  let bound = Infinity;
  let worth: Float64Array | null = null;
  let tried = 0;
  for (const each of peakCases(chain, upper)) {
    if (each.bound >= upper() || stop()) {
      bound = Math.min(bound, each.bound);
      continue;
    }
    const bidders = shares.map((share) => deviceBidder(chain, share, { ...each, pairs: PAIRS }));
    const found = generateColumns(chain, classesOf(bidders, before, each), kinds, {
      start: firstWorths(chain, shares, each.prices),
      seeds: best === null ? [] : [best.choice],
      rounds: ROUNDS,
      // The lowest bound of all cases counts: above it, a case needs no better one.
      upper: () => Math.min(upper(), bound),
      stop,
    });
    const own = Math.max(each.bound, found.bound);
    if (own < bound) worth = found.worth;
    bound = Math.min(bound, own);
    if (own >= upper()) continue;
    const limited = bidders.filter(({ share }) => share.resource >= 0).sort((a, b) => byDuty(a.share, b.share));
    const attempt = (from: Solution | null, seed: number): Solution | null =>
      constructed(problem, chain, limited, kinds, {
        worth: found.worth,
        known: from,
        trials: Math.ceil((TRIALS[tried] ?? 0) * Math.min(1, TRIAL_ITEMS / chain.items)),
        seed,
        stop,
      });
    // What starts from nothing ends elsewhere than what starts from the best.
    const fresh = attempt(null, 2 * tried + 1);
    const next = attempt(fresh !== null && fresh.cost < (best?.cost ?? Infinity) ? fresh : best, 2 * tried + 2);
    tried += 1;
    if (next !== null && next.cost < upper()) best = polished(problem, next, stop);
  }
  return { best, bound, worth };
}

/** Whoever has more ways to run an item than holding it takes the rest, and so comes last. */
function byDuty(a: DeviceShare, b: DeviceShare): number {
  return a.places.length - b.places.length || b.resource - a.resource;
}

/**
 * Items whose worths are one number: those within a run, whose first and last are worth more to neighbours. Where that gives
 * too many numbers to settle in a few rounds, items that are alike share one wherever they are.
 */
function kindsWithin(problem: Problem, chain: Chain): Int32Array {
  const kinds = new Int32Array(problem.items.length);
  let next = 0;
  for (const run of runsOf(problem)) {
    const inner = run.length > 2 ? next++ : -1;
    for (const [k, i] of run.entries()) kinds[i] = k === 0 || k === run.length - 1 ? next++ : inner;
  }
  return next <= MOST_KINDS ? kinds : kindsOf(chain);
}

/** The lowest bound first. */
function peakCases(chain: Chain, upper: () => number): PeakCase[] {
  const resource = mostPeaked(chain);
  const free = new Float64Array(chain.resources);
  return rangesOf(chain, resource, WIDTH * (chain.capacities[resource] ?? 0))
    .map(({ floor, level }): PeakCase => {
      const levels = free.map((_, r) => (r === resource ? level : Infinity));
      const floors = free.map((_, r) => (r === resource ? floor : 0));
      const capacities = chain.capacities.map((capacity, r) => capacity - (floors[r] ?? 0));
      if (capacities.some((capacity) => capacity < 0)) return { floors, levels, prices: free, bound: Infinity };
      const { prices, relaxation } = bestBound(chain, capacities, levels, upper, () => undefined, PRICE_ROUNDS);
      return { floors, levels, prices, bound: relaxation.bound };
    })
    .filter((own) => own.bound < Infinity)
    .sort((a, b) => a.bound - b.bound);
}

/** The resource whose largest peak is the largest part of its capacity. */
function mostPeaked({ resources, capacities, cost, peak }: Chain): number {
  const most = new Float64Array(resources);
  for (const [at, bytes] of peak.entries()) {
    const r = at % resources;
    if ((cost[Math.floor(at / resources)] ?? Infinity) < Infinity)
      most[r] = Math.max(most[r] ?? 0, bytes / (capacities[r] ?? 1));
  }
  return most.indexOf(Math.max(...most));
}

/** Equal devices with the same peaks bid as one. */
function classesOf(bidders: readonly DeviceBidder[], before: Int32Array, { floors, levels }: PeakCase): BidderClass[] {
  const classes: { bidder: DeviceBidder; count: number }[] = [];
  const classOf = new Map<number, { bidder: DeviceBidder; count: number }>();
  for (const bidder of bidders) {
    const { resource } = bidder.share;
    const equal = resource < 0 ? -1 : (before[resource] ?? -1);
    const alike = equal >= 0 && floors[equal] === floors[resource] && levels[equal] === levels[resource];
    const found = alike ? classOf.get(equal) : undefined;
    const own = found ?? { bidder, count: 0 };
    if (found === undefined) classes.push(own);
    own.count += 1;
    if (resource >= 0) classOf.set(resource, own);
  }
  return classes;
}
