/**
 * Placements made device by device: each takes of what is left whatever earns it most, and the one that streams takes the
 * rest. In other orders, and with worths a little off, other placements come out; parts of a good one are taken apart and put
 * together anew as long as it gets better.
 */
import type { Chain } from '../chain.js';
import { costOf, type Problem, type Solution } from '../problem.js';
import { bestTake, type DeviceBidder } from './device-bidder.js';

export interface ConstructOptions {
  /** Per item. */
  readonly worth: Float64Array;
  /** A placement to begin with. */
  readonly known: Solution | null;
  /** Placements made at most. */
  readonly trials: number;
  readonly seed: number;
  readonly stop: () => boolean;
}

/** How far worths are moved at random, as fractions. */
const NOISE = [0.01, 0.03, 0.08] as const;
/** What an item that nobody else can take is worth to the last. */
const MUST = 1e6;

/** `bidders`: the devices whose room can run out, the one that takes the rest last. */
export function constructed(
  problem: Problem,
  chain: Chain,
  bidders: readonly DeviceBidder[],
  kinds: Int32Array,
  { worth, known, trials, stop, seed }: ConstructOptions,
): Solution | null {
  const random = generator(seed);
  const others = othersOf(chain, bidders);
  const last = bidders.at(-1);
  const owners = Int32Array.from({ length: chain.places }, (_, p) =>
    bidders.findIndex(({ share }) => share.places.includes(p)),
  );
  let best = known;
  for (let trial = 0; trial < trials && !stop(); trial++) {
    // Every fourth starts from nothing; the others keep most of the best.
    const ruined =
      best === null || trial % 4 === 0 ? bidders.length : 1 + Math.floor(random() * Math.min(4, bidders.length - 1));
    const order = shuffled(bidders.slice(0, -1), random).slice(0, ruined);
    if (last !== undefined) order.push(last);
    const choice = Int32Array.from({ length: chain.items }, (_, i) => {
      const place = best?.choice[i] ?? -1;
      const owner = bidders[owners[place] ?? -1];
      return owner === undefined || order.includes(owner) ? -1 : place;
    });
    const noise = trial === 0 ? 0 : (NOISE[trial % NOISE.length] ?? 0);
    const factors = Float64Array.from({ length: Math.max(...kinds) + 1 }, () => 1 + noise * (2 * random() - 1));
    const moved = worth.map((value, i) => value * (factors[kinds[i] ?? 0] ?? 1));
    for (const bidder of order) {
      const values = bidder === last ? moved.map((_, i) => others.cost[i] ?? MUST) : moved;
      const take = bestTake(bidder, values, -Infinity, (i) => choice[i] === -1);
      for (const [i, place] of (take?.places ?? []).entries()) if (place >= 0) choice[i] = place;
    }
    const places = Array.from(choice, (place, i) => (place >= 0 ? place : (others.place[i] ?? 0)));
    for (const [i, { sameAs }] of problem.items.entries()) if (sameAs !== null) places[i] = places[sameAs] ?? 0;
    const cost = costOf(problem, places);
    if (cost < (best?.cost ?? Infinity)) best = { choice: places, cost };
  }
  return best;
}

/** Per item, the cheapest place on no device of these, and what it costs there. */
function othersOf(chain: Chain, bidders: readonly DeviceBidder[]): { place: Int32Array; cost: Float64Array } {
  const taken = new Set(bidders.flatMap(({ share }) => share.places));
  const place = new Int32Array(chain.items);
  const cost = new Float64Array(chain.items).fill(MUST);
  for (let i = 0; i < chain.items; i++) {
    for (let p = 0; p < chain.places; p++) {
      const own = chain.cost[i * chain.places + p] ?? Infinity;
      if (taken.has(p) || own >= (cost[i] ?? 0)) continue;
      cost[i] = own;
      place[i] = p;
    }
  }
  return { place, cost };
}

function shuffled<T>(list: readonly T[], random: () => number): T[] {
  return list
    .map((value) => ({ value, at: random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ value }) => value);
}

/** The same numbers for the same seed, between 0 and 1 (Numerical Recipes' linear congruence). */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
