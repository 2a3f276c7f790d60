/**
 * What each item is worth to the device that takes it, chosen so that every item tends to be taken exactly once
 * (Lagrangian decomposition by device). The sum of all worths less what the devices could earn alone bounds every
 * placement from below, and knows what prices per byte do not: a block either fits into what is left of a device or
 * does not, and whoever enters a device must leave it again.
 */
import type { Chain, Levels } from './chain.js';
import type { DeviceShare } from './device-shares.js';
import { earnedBefore, shareFronts, shareOptions, takenItems, type Bidder, type ShareFronts } from './share-fronts.js';

export interface Decomposition {
  readonly bidders: readonly Bidder[];
  readonly worth: Float64Array;
  /** Per resource, for bytes that no device's own capacity accounts for. */
  readonly prices: Float64Array;
  /** Per device, what it can still earn after each item in placements that cost less than what was known. */
  readonly fronts: readonly ShareFronts[];
  readonly bound: number;
}

/** How far above the best bound the first steps aim, as a fraction. */
const FIRST_REACH = 0.02;

export interface DecompositionOptions {
  /** Prices per byte to start from. */
  readonly prices: Float64Array;
  /** Without what peaks are known to take. */
  readonly capacities: Float64Array;
  readonly levels: Levels;
  readonly rounds: number;
  /** Most pairs of a front. */
  readonly pairs: number;
  readonly upper: () => number;
  /** Worths to start from, if any were found earlier. */
  readonly from: Float64Array | null;
}

export function decompose(
  chain: Chain,
  shares: readonly DeviceShare[],
  { prices, capacities, levels, ...search }: DecompositionOptions,
): Decomposition {
  const outer = outerPrices(chain, shares, prices);
  const bidders = shares.map(({ resource, ...share }): Bidder => ({
    share: { resource, ...share },
    options: shareOptions(chain, { resource, ...share }, outer, levels),
    capacity: resource < 0 ? Infinity : (capacities[resource] ?? 0),
    price: outer[resource] === 0 ? (prices[resource] ?? 0) : 0,
    pairs: search.pairs,
  }));
  const fixed = outer.reduce((sum, price, r) => sum + price * (capacities[r] ?? 0), 0);
  let worth = search.from ?? firstWorths(chain, shares, prices);
  const kinds = kindsOf(chain);
  const scale = spreads(chain, kinds);
  const missing = new Float64Array(scale.length);
  const direction = new Float64Array(scale.length);
  let best: Bids & { readonly worth: Float64Array } = { worth, bound: -Infinity, fronts: [], wanted: [] };
  let reach = 0;
  let sinceBetter = 0;
  for (let round = 0; round < search.rounds; round++) {
    const bids = bidsFor(bidders, worth, fixed, search.upper());
    const { bound } = bids;
    if (round === 0) reach = FIRST_REACH * Math.abs(bound);
    if (bound > best.bound + 0.01 * reach) sinceBetter = 0;
    else if (++sinceBetter >= 3) {
      reach /= 2;
      sinceBetter = 0;
    }
    if (bound > best.bound) best = { ...bids, worth };
    if (best.bound >= search.upper() || round === search.rounds - 1) break;
    missing.fill(0);
    for (let i = 0; i < chain.items; i++) {
      const kind = kinds[i] ?? 0;
      missing[kind] = (missing[kind] ?? 0) + 1;
      for (const places of bids.wanted) if ((places[i] ?? -1) >= 0) missing[kind] = (missing[kind] ?? 0) - 1;
    }
    let norm = 0;
    for (let k = 0; k < missing.length; k++) {
      direction[k] = 0.5 * (missing[k] ?? 0) + 0.5 * (direction[k] ?? 0);
      norm += (scale[k] ?? 0) * (direction[k] ?? 0) ** 2;
    }
    if (norm < 1e-18) break;
    const step = (Math.min(search.upper(), best.bound + reach) - bound) / norm;
    worth = worth.map((value, i) => value + step * (scale[kinds[i] ?? 0] ?? 0) * (direction[kinds[i] ?? 0] ?? 0));
  }
  return { bidders, worth: best.worth, fronts: best.fronts, prices: outer, bound: best.bound };
}

/** How little a device may earn in a placement that costs less than `upper`, the others earning all they can. */
function leastEarnings(
  bidders: readonly Bidder[],
  worth: Float64Array,
  fixed: number,
  upper: number,
): { before: Float64Array; least: number }[] {
  const most = bidders.map((bidder) => {
    const before = earnedBefore(bidder, worth);
    const spare = bidder.price === 0 ? 0 : bidder.price * bidder.capacity;
    return { before, most: Math.max(...before.slice(-2)) + spare };
  });
  const rest = worth.reduce((sum, value) => sum + value, -fixed) - most.reduce((sum, own) => sum + own.most, 0);
  return most.map((own) => ({ before: own.before, least: rest + own.most - upper }));
}

interface Bids {
  readonly bound: number;
  readonly fronts: readonly ShareFronts[];
  /** Per device, the place of each item that it would take, or -1. */
  readonly wanted: readonly Int32Array[];
}

function bidsFor(bidders: readonly Bidder[], worth: Float64Array, fixed: number, upper: number): Bids {
  const earnings = leastEarnings(bidders, worth, fixed, upper);
  let bound = worth.reduce((sum, value) => sum + value, -fixed);
  const fronts: ShareFronts[] = [];
  const wanted: Int32Array[] = [];
  for (const [d, bidder] of bidders.entries()) {
    const { before, least } = earnings[d] ?? { before: worth, least: -Infinity };
    const own = shareFronts(bidder, worth, before, least);
    const value = own.outside[0]?.value.at(-1);
    // Whatever this device takes, the rest costs too much.
    if (value === undefined) return { bound: Infinity, fronts: [], wanted: [] };
    bound -= value;
    fronts.push(own);
    wanted.push(takenItems(bidder, worth, own));
  }
  return { bound, fronts, wanted };
}

/** Prices of resources that places of more than one device use; a device's own capacity needs no price. */
function outerPrices(chain: Chain, shares: readonly DeviceShare[], prices: Float64Array): Float64Array {
  const { places, resources, items } = chain;
  const own = new Int32Array(places).fill(-1);
  for (const { places: members, resource } of shares) for (const p of members) own[p] = resource;
  return prices.map((price, r) => {
    for (let ip = 0; ip < items * places; ip++) {
      if ((chain.use[ip * resources + r] ?? 0) > 0 && own[ip % places] !== r) return price;
    }
    return 0;
  });
}

/**
 * What each item adds to the cheapest way through the chain when bytes have their prices: the differences between the
 * least costs of having left every device after one item and after the next. No device earns anything with these beyond
 * the price of its capacity, so the bound starts where prices alone end.
 */
export function firstWorths(chain: Chain, shares: readonly DeviceShare[], prices: Float64Array): Float64Array {
  const { places, resources, items } = chain;
  const worth = new Float64Array(items);
  const on = new Float64Array(shares.length).fill(Infinity);
  let left = 0;
  for (let i = 0; i < items; i++) {
    let leaving = Infinity;
    for (const [d, { places: members, tolls }] of shares.entries()) {
      let own = Infinity;
      for (const p of members) {
        let value = chain.cost[i * places + p] ?? Infinity;
        for (let r = 0; r < resources; r++) {
          value += (prices[r] ?? 0) * (chain.use[(i * places + p) * resources + r] ?? 0);
        }
        own = Math.min(own, value);
      }
      own += Math.min(on[d] ?? Infinity, left + (tolls[i] ?? 0));
      on[d] = own;
      leaving = Math.min(leaving, own + (tolls[i + 1] ?? 0));
    }
    worth[i] = leaving - left;
    left = leaving;
  }
  return worth;
}

/** Items that are alike in every number share what is added to their worths. */
export function kindsOf({ items, places, resources, cost, use, peak }: Chain): Int32Array {
  const known = new Map<string, number>();
  return Int32Array.from({ length: items }, (_, i) => {
    const from = i * places;
    const to = from + places;
    const key = [
      cost.subarray(from, to),
      use.subarray(from * resources, to * resources),
      peak.subarray(from * resources, to * resources),
    ].join(';');
    const found = known.get(key) ?? known.size;
    known.set(key, found);
    return found;
  });
}

/** How far the costs of a kind lie apart, over how many items have it: how fast a worth should move. */
function spreads(chain: Chain, kinds: Int32Array): Float64Array {
  const scale = new Float64Array(Math.max(...kinds) + 1);
  const count = new Float64Array(scale.length);
  for (let i = 0; i < chain.items; i++) {
    let low = Infinity;
    let high = 0;
    for (let p = 0; p < chain.places; p++) {
      const cost = chain.cost[i * chain.places + p] ?? Infinity;
      if (cost === Infinity) continue;
      low = Math.min(low, cost);
      high = Math.max(high, cost);
    }
    const kind = kinds[i] ?? 0;
    count[kind] = (count[kind] ?? 0) + 1;
    scale[kind] = low === Infinity ? 0 : high - low + 1e-3 * (high + 1e-3);
  }
  return scale.map((spread, k) => spread / (count[k] ?? 1));
}

/** What the items from `i` on cost at least, given the room on every device and the device of the item before. */
export function worthFrom(worth: Float64Array): Float64Array {
  const from = new Float64Array(worth.length + 1);
  for (let i = worth.length - 1; i >= 0; i--) from[i] = (from[i + 1] ?? 0) + (worth[i] ?? 0);
  return from;
}
