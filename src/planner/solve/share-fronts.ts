/**
 * What one device could earn if it chose its items alone. Each item has a worth, paid to whoever takes it; a device pays
 * the item's cost, its tolls, and keeps to its capacity, of which only whole items can use a part.
 */
import type { Chain, Levels } from './chain.js';
import type { DeviceShare } from './device-shares.js';
import { better, EMPTY, NOTHING, valueWithin, type ValueFront } from './value-front.js';

/** `outside[i]` and `inside[i]` are about item i and those after it, the item before i being elsewhere or here. */
export interface ShareFronts {
  readonly outside: readonly ValueFront[];
  readonly inside: readonly ValueFront[];
}

/** A place on the device: bytes of its resource, and its cost with all other bytes priced. */
export interface ShareOption {
  readonly place: number;
  readonly weight: number;
  readonly cost: number;
}

/** Per item, the places that are worth a look: none is worse than another in everything. */
export function shareOptions(chain: Chain, share: DeviceShare, prices: Float64Array, levels: Levels): ShareOption[][] {
  const { places, resources, items } = chain;
  const { resource } = share;
  return Array.from({ length: items }, (_, i) => {
    const options: ShareOption[] = [];
    for (const place of share.places) {
      const at = i * places + place;
      let cost = chain.cost[at] ?? Infinity;
      for (let r = 0; r < resources; r++) {
        if ((chain.peak[at * resources + r] ?? 0) > (levels[r] ?? 0)) cost = Infinity;
        cost += (prices[r] ?? 0) * (chain.use[at * resources + r] ?? 0);
      }
      const weight = resource < 0 ? 0 : (chain.use[at * resources + resource] ?? 0);
      if (cost < Infinity) options.push({ place, weight, cost });
    }
    options.sort((a, b) => a.cost - b.cost || a.weight - b.weight);
    return options.filter((own, k) => !options.slice(0, k).some((other) => other.weight <= own.weight));
  });
}

/** One device as the search for worths sees it. */
export interface Bidder {
  readonly share: DeviceShare;
  readonly options: readonly (readonly ShareOption[])[];
  readonly capacity: number;
  /** Per byte of its capacity: what tells hopeless pairs from others. */
  readonly price: number;
  /** Most pairs of a front. */
  readonly pairs: number;
}

/** What a device earns at most up to each item, its bytes priced: `[2 * item + (1 if the item before is here)]`. */
export function earnedBefore({ share, options, price }: Bidder, worth: Float64Array): Float64Array {
  const most = new Float64Array(2 * (options.length + 1)).fill(-Infinity);
  most[0] = 0;
  for (const [i, own] of options.entries()) {
    const toll = share.tolls[i] ?? 0;
    const outside = most[2 * i] ?? 0;
    const inside = most[2 * i + 1] ?? 0;
    let gain = -Infinity;
    for (const { weight, cost } of own) gain = Math.max(gain, (worth[i] ?? 0) - cost - price * weight);
    most[2 * i + 2] = Math.max(outside, inside - toll);
    most[2 * i + 3] = Math.max(inside, outside - toll) + gain;
  }
  return most;
}

/** Solutions that earn the device less than `least` are of no interest. */
export function shareFronts(
  { share, options, price, pairs, capacity }: Bidder,
  worth: Float64Array,
  before: Float64Array,
  least: number,
): ShareFronts {
  const outside: ValueFront[] = [NOTHING];
  const inside: ValueFront[] = [NOTHING];
  const weight = capacity;
  const spare = price === 0 ? 0 : price * capacity;
  for (let i = options.length - 1; i >= 0; i--) {
    const left = outside.at(-1) ?? NOTHING;
    const stay = inside.at(-1) ?? NOTHING;
    const toll = share.tolls[i] ?? 0;
    const ifOutside = { weight, price, pairs, least: least - spare - (before[2 * i] ?? 0) };
    const ifInside = { weight, price, pairs, least: least - spare - (before[2 * i + 1] ?? 0) };
    const loosest = { weight, price, pairs, least: Math.min(ifOutside.least + toll, ifInside.least) };
    let taken: ValueFront = EMPTY;
    for (const option of options[i] ?? []) {
      taken = better(taken, [0, 0], stay, [option.weight, (worth[i] ?? 0) - option.cost], loosest);
    }
    outside.push(better(left, [0, 0], taken, [0, -toll], ifOutside));
    inside.push(better(left, [0, -toll], taken, [0, 0], ifInside));
  }
  return { outside: outside.toReversed(), inside: inside.toReversed() };
}

/** The items that the device would take, and where: a walk along its own fronts. */
export function takenItems({ share, options, capacity }: Bidder, worth: Float64Array, fronts: ShareFronts): Int32Array {
  const places = new Int32Array(options.length).fill(-1);
  let room = capacity;
  let here = false;
  for (const [i, own] of options.entries()) {
    const toll = share.tolls[i] ?? 0;
    let best = valueWithin(fronts.outside[i + 1] ?? NOTHING, room) - (here ? toll : 0);
    let chosen: ShareOption | null = null;
    for (const option of own) {
      const value =
        (worth[i] ?? 0) -
        option.cost -
        (here ? 0 : toll) +
        valueWithin(fronts.inside[i + 1] ?? NOTHING, room - option.weight);
      if (value <= best + 1e-12 * Math.abs(best)) continue;
      best = value;
      chosen = option;
    }
    here = chosen !== null;
    if (chosen === null) continue;
    room -= chosen.weight;
    places[i] = chosen.place;
  }
  return places;
}
