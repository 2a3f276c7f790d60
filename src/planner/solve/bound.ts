/** Prices per byte that make the relaxation's bound high, found by bisection for one resource and by subgradients for more. */
import { relax, type Chain, type Levels, type Relaxation } from './chain.js';

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
): BoundSearch {
  const free = new Float64Array(chain.resources);
  let best: BoundSearch = { prices: free, relaxation: relax(chain, free, capacities, levels) };
  offer(best.relaxation.choice);
  if (best.relaxation.bound === Infinity || excess(best.relaxation, capacities).every((e) => e <= 0)) return best;
  const attempt = (prices: Float64Array): Relaxation => {
    const relaxation = relax(chain, prices, capacities, levels);
    offer(relaxation.choice);
    if (relaxation.bound > best.relaxation.bound) best = { prices, relaxation };
    return relaxation;
  };

  if (chain.resources === 1) {
    bisect(chain, capacities, attempt);
    return best;
  }
  const scale = steepestPrice(chain);
  const rounds = 30 + 20 * chain.resources;
  let step = 1;
  let sinceBetter = 0;
  for (let round = 0; round < rounds; round++) {
    const { prices, relaxation } = best;
    const over = excess(relaxation, capacities);
    const norm = over.reduce((sum, e, r) => sum + e * e * weight(capacities[r]), 0);
    if (norm === 0) break;
    const target = Number.isFinite(upper()) ? upper() : relaxation.bound + scale * Math.max(...over);
    const length = (step * Math.max(target - relaxation.bound, 1e-9)) / norm;
    const next = prices.map((price, r) => Math.max(0, price + length * (over[r] ?? 0) * weight(capacities[r])));
    const before = best.relaxation.bound;
    attempt(next);
    if (best.relaxation.bound > before) sinceBetter = 0;
    else if (++sinceBetter >= 2) {
      step /= 2;
      sinceBetter = 0;
    }
    if (step < 1e-4 || best.relaxation.bound >= upper()) break;
  }
  return best;
}

/** Small devices move their prices as easily as large ones. */
function weight(capacity: number | undefined): number {
  return 1 / Math.max(1, capacity ?? 1) ** 2;
}

function bisect(chain: Chain, capacities: Float64Array, attempt: (prices: Float64Array) => Relaxation): void {
  let low = 0;
  let high = steepestPrice(chain);
  for (let i = 0; i < 60; i++) {
    const over = excess(attempt(Float64Array.of(high)), capacities)[0] ?? 0;
    if (over <= 0) break;
    low = high;
    high *= 4;
  }
  for (let i = 0; i < 40; i++) {
    const middle = (low + high) / 2;
    const over = excess(attempt(Float64Array.of(middle)), capacities)[0] ?? 0;
    if (over > 0) low = middle;
    else high = middle;
    if (over === 0 || high - low < 1e-6 * high) break;
  }
}

function excess(relaxation: Relaxation, capacities: Float64Array): number[] {
  return Array.from(capacities, (capacity, r) => (relaxation.used[r] ?? 0) - capacity);
}

/** Milliseconds per byte of the middling item: where to start looking. */
function steepestPrice(chain: Chain): number {
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
