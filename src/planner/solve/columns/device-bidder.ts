/**
 * One device that bids for items, peaks and all: of every height that the largest peak may have, it tries what is left beside
 * that much, and keeps the best.
 */
import type { Chain, Levels } from '../chain.js';
import type { DeviceShare } from '../device-shares.js';
import { rangesOf } from '../peaks.js';
import { earnedBefore, shareFronts, shareOptions, takenItems, type Bidder } from '../share-fronts.js';
import { bestPrice } from './best-price.js';

/** Peaks closer together than this fraction of the capacity are one height, the lowest of them. */
const SAME_HEIGHT = 1 / 512;

/** Earnings closer than this fraction are equal. */
const SAME = 1e-9;

export interface Take {
  /** Upper bound on what the device earns; what `places` earn, but for pairs that were merged. */
  readonly value: number;
  /** Per item, the place that it is taken to, or -1. */
  readonly places: Int32Array;
}

export interface DeviceBidder {
  readonly share: DeviceShare;
  /** One bidder per height. */
  readonly heights: readonly Bidder[];
}

export interface BidderRules {
  readonly floors: Float64Array;
  readonly levels: Levels;
  readonly pairs: number;
}

export function deviceBidder(chain: Chain, share: DeviceShare, rules: BidderRules): DeviceBidder {
  const { resource } = share;
  const free = new Float64Array(chain.resources);
  const within = { floor: rules.floors[resource] ?? 0, level: rules.levels[resource] ?? Infinity };
  const capacity = chain.capacities[resource] ?? Infinity;
  const ranges = resource < 0 ? [] : rangesOf(chain, resource, SAME_HEIGHT * capacity, within, share.places);
  const heights = (ranges.length === 0 ? [within] : ranges).map(({ floor, level }): Bidder => {
    const levels = rules.levels.map((own, r) => (r === resource ? level : own));
    return {
      share,
      options: shareOptions(chain, share, free, levels),
      capacity: resource < 0 ? Infinity : capacity - floor,
      price: 0,
      pairs: rules.pairs,
    };
  });
  return { share, heights: heights.filter((own) => own.capacity >= 0) };
}

/** Whether the device may have these places at once: within the peaks that are looked at, and its capacity. */
export function mayTake(chain: Chain, { heights }: DeviceBidder, places: ArrayLike<number>): boolean {
  return heights.some(({ options, capacity }) => {
    let weight = 0;
    for (let i = 0; i < chain.items; i++) {
      const place = places[i] ?? -1;
      if (place < 0) continue;
      // A place that another makes pointless is no loss here.
      const own = options[i]?.find((option) => option.place === place);
      if (own === undefined) return false;
      weight += own.weight;
    }
    return weight <= capacity;
  });
}

/**
 * What the device would take at these worths, of the items that are `open`; null where it earns no more than `least`, which
 * known placements earn.
 */
export function bestTake(
  { heights }: DeviceBidder,
  worth: Float64Array,
  least: number,
  open: (item: number) => boolean = () => true,
): Take | null {
  let best: Take | null = null;
  let floor = least;
  for (const height of heights) {
    const options = height.options.map((own, i) => (open(i) ? own : []));
    const { price, value: fits, most } = bestPrice({ ...height, options }, worth);
    if (most <= floor + SAME * Math.abs(floor)) continue;
    const bidder = { ...height, options, price };
    const fronts = shareFronts(bidder, worth, earnedBefore(bidder, worth), Math.max(floor, fits));
    const value = fronts.outside[0]?.value.at(-1) ?? -Infinity;
    if (value <= floor + SAME * Math.abs(floor)) continue;
    best = { value, places: takenItems(bidder, worth, fronts) };
    floor = value;
  }
  return best;
}
