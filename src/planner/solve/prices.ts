/** Prices per byte that make the relaxation's bound high, found by bisection for one resource and by subgradients for more. */
import type { Chain, Levels } from './chain.js';
import { relax, type Relaxation } from './relax.js';

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
      relaxation.bound < Infinity && capacities.every((capacity, r) => (relaxation.used[r] ?? 0) <= capacity);
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

  bisect(chain, capacities, attempt, () => best.relaxation.bound >= upper());
  if (chain.resources === 1) return best;
  if (best.relaxation.bound < upper()) ascend(chain, capacities, upper, best, attempt, rounds);
  return best;
}

/**
 * Subgradient ascent with smoothed directions: where two devices are alike, everything runs to the cheaper one, and only
 * the mean of such turns points uphill.
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
      const scaled = e / Math.max(1, capacities[r] ?? 1);
      direction[r] = 0.6 * (direction[r] ?? 0) + 0.4 * scaled;
      norm += (direction[r] ?? 0) ** 2;
    }
    if (norm < 1e-18) break;
    const target = Number.isFinite(upper()) ? upper() : 2 * Math.abs(best) + steepestPrice(chain) * Math.max(...over);
    const step = (length * Math.max(target - relaxation.bound, 1e-6 * Math.abs(target))) / norm;
    prices = prices.map((price, r) =>
      Math.max(0, price + (step * (direction[r] ?? 0)) / Math.max(1, capacities[r] ?? 1)),
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

/** One price for every byte, wherever it is: where the sum of all capacities is just kept. */
function bisect(
  chain: Chain,
  capacities: Float64Array,
  attempt: (prices: Float64Array) => Relaxation,
  enough: () => boolean,
): void {
  const overAt = (price: number): number =>
    excess(attempt(new Float64Array(chain.resources).fill(price)), capacities).reduce((sum, over) => sum + over, 0);
  let low = 0;
  let high = steepestPrice(chain);
  for (let i = 0; i < 60; i++) {
    if (overAt(high) <= 0) break;
    if (enough()) return;
    low = high;
    high *= 4;
  }
  for (let i = 0; i < 40; i++) {
    const middle = (low + high) / 2;
    const over = overAt(middle);
    if (over > 0) low = middle;
    else high = middle;
    if (over === 0 || high - low < 1e-4 * high || enough()) break;
  }
}

/** What the relaxed placement itself costs, without the prices. */
function costAt({ bound, used }: Relaxation, prices: Float64Array, capacities: Float64Array): number {
  return prices.reduce((sum, price, r) => sum + price * ((capacities[r] ?? 0) - (used[r] ?? 0)), bound);
}

function excess(relaxation: Relaxation, capacities: Float64Array): number[] {
  return Array.from(capacities, (capacity, r) => (relaxation.used[r] ?? 0) - capacity);
}

/** Milliseconds per byte of the middling item: where to start looking. */
export function steepestPrice(chain: Chain): number {
  const ratios: number[] = [];
  for (let i = 0; i < chain.items; i++) {
    let low = Infinity;
    let high = 0;
    let bytes = 0;
    for (let p = 0; p < chain.places; p++) {
      const cost = chain.cost[i * chain.places + p] ?? Infinity;
      if (cost === Infinity) continue;
      low = Math.min(low, cost);
      high = Math.max(high, cost);
      for (let r = 0; r < chain.resources; r++) {
        bytes = Math.max(bytes, chain.use[(i * chain.places + p) * chain.resources + r] ?? 0);
      }
    }
    if (bytes > 0 && high > low) ratios.push((high - low) / bytes);
  }
  ratios.sort((a, b) => a - b);
  return ratios[Math.floor(ratios.length / 2)] ?? 1e-9;
}
