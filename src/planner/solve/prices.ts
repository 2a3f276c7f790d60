/** Prices per byte that make the relaxation's bound high, found along straight lines for one resource and by subgradients for more. */
import { at } from '../../checked-access.js';
import { realAt } from './number-at.js';
import type { Chain, Levels } from './chain.js';
import { relax, type Relaxation } from './relax.js';

/** Where no item gains anything from bytes. */
const NO_PRICE = 1e-9;

export interface BoundSearch {
  readonly prices: Float64Array;
  readonly relaxation: Relaxation;
}

/** `offer` is called with every relaxed placement met on the way: those that fit are upper bounds. */
export function bestBound(
  chain: Chain,
  capacities: Float64Array,
  levels: Levels,
  upper: () => number,
  offer: (choice: Int32Array) => void,
  rounds = chain.resources <= 3 ? 60 : 25,
): BoundSearch {
  const free = new Float64Array(chain.resources);
  let best: BoundSearch = { prices: free, relaxation: relax(chain, free, capacities, levels) };
  const offerIfFits = (relaxation: Relaxation, prices: Float64Array): boolean => {
    const fits =
      relaxation.bound < Infinity && capacities.every((capacity, r) => realAt(relaxation.used, r) <= capacity);
    if (fits && costAt(relaxation, prices, capacities) < upper()) offer(relaxation.choice);
    return fits;
  };
  if (offerIfFits(best.relaxation, free) || best.relaxation.bound === Infinity) return best;
  const attempt = (prices: Float64Array): Relaxation => {
    const relaxation = relax(chain, prices, capacities, levels);
    offerIfFits(relaxation, prices);
    if (relaxation.bound > best.relaxation.bound) best = { prices, relaxation };
    return relaxation;
  };

  onePrice(chain, capacities, best.relaxation, attempt, () => best.relaxation.bound >= upper());
  if (chain.resources === 1) return best;
  if (best.relaxation.bound < upper()) ascend(chain, capacities, upper, best, attempt, rounds);
  return best;
}

/**
 * Subgradient ascent with smoothed directions: where two devices are alike, everything runs to the cheaper one, and only
 * the mean of such steps points uphill.
 */
function ascend(
  chain: Chain,
  capacities: Float64Array,
  upper: () => number,
  start: BoundSearch,
  attempt: (prices: Float64Array) => Relaxation,
  rounds: number,
): void {
  let { relaxation, prices } = start;
  const direction = new Float64Array(chain.resources);
  let best = start.relaxation.bound;
  let length = 1;
  let sinceBetter = 0;
  for (let round = 0; round < rounds; round++) {
    const over = excess(relaxation, capacities);
    let norm = 0;
    for (const [r, e] of over.entries()) {
      const scaled = e / Math.max(1, realAt(capacities, r));
      direction[r] = 0.6 * realAt(direction, r) + 0.4 * scaled;
      norm += realAt(direction, r) ** 2;
    }
    if (norm < 1e-18) break;
    const target = Number.isFinite(upper()) ? upper() : 2 * Math.abs(best) + medianPrice(chain) * Math.max(...over);
    const step = (length * Math.max(target - relaxation.bound, 1e-6 * Math.abs(target))) / norm;
    prices = prices.map((price, r) =>
      Math.max(0, price + (step * realAt(direction, r)) / Math.max(1, realAt(capacities, r))),
    );
    relaxation = attempt(prices);
    if (relaxation.bound > best + 1e-6 * Math.abs(best)) {
      best = relaxation.bound;
      sinceBetter = 0;
    } else if (++sinceBetter >= 4) {
      length /= 2;
      sinceBetter = 0;
    }
    if (best >= upper()) break;
  }
}

/**
 * One price for every byte, wherever it is: where the sum of all capacities is just kept. The bound is concave in the price
 * and made of straight lines, so the next price is where the lines of the two nearest ones meet.
 */
function onePrice(
  chain: Chain,
  capacities: Float64Array,
  free: Relaxation,
  attempt: (prices: Float64Array) => Relaxation,
  enough: () => boolean,
): void {
  const lineAt = (price: number, { bound, used }: Relaxation): Line => {
    const slope = used.reduce((sum, bytes, r) => sum + bytes - realAt(capacities, r), 0);
    return { price, bound, slope };
  };
  const tried = (price: number): Line => lineAt(price, attempt(new Float64Array(chain.resources).fill(price)));
  let low = lineAt(0, free);
  let high = tried(medianPrice(chain));
  for (let i = 0; i < 60 && high.slope > 0; i++) {
    if (enough()) return;
    low = high;
    high = tried(4 * high.price);
  }
  for (let i = 0; i < 40 && low.slope > 0 && high.slope < 0 && !enough(); i++) {
    const price = (high.bound - low.bound + low.slope * low.price - high.slope * high.price) / (low.slope - high.slope);
    const most = low.bound + low.slope * (price - low.price);
    const line = tried(price);
    if (line.slope > 0) low = line;
    else high = line;
    if (line.bound >= most - 1e-9 * Math.abs(most)) break;
  }
}

/** A bound near a price: `slope` is what a unit of price adds to it. */
interface Line {
  readonly price: number;
  readonly bound: number;
  readonly slope: number;
}

/** What the relaxed placement itself costs, without the prices. */
function costAt({ bound, used }: Relaxation, prices: Float64Array, capacities: Float64Array): number {
  return prices.reduce((sum, price, r) => sum + price * (realAt(capacities, r) - realAt(used, r)), bound);
}

function excess(relaxation: Relaxation, capacities: Float64Array): number[] {
  return Array.from(capacities, (capacity, r) => realAt(relaxation.used, r) - capacity);
}

/** Milliseconds per byte of the middling item: where to start looking. */
function medianPrice(chain: Chain): number {
  const ratios: number[] = [];
  for (let i = 0; i < chain.items; i++) {
    let low = Infinity;
    let high = 0;
    let bytes = 0;
    for (let p = 0; p < chain.places; p++) {
      const cost = realAt(chain.cost, i * chain.places + p);
      if (cost === Infinity) continue;
      low = Math.min(low, cost);
      high = Math.max(high, cost);
      for (let r = 0; r < chain.resources; r++) {
        bytes = Math.max(bytes, realAt(chain.use, (i * chain.places + p) * chain.resources + r));
      }
    }
    if (bytes > 0 && high > low) ratios.push((high - low) / bytes);
  }
  ratios.sort((a, b) => a - b);
  return ratios.length === 0 ? NO_PRICE : at(ratios, Math.floor(ratios.length / 2));
}
