/** Prices per byte that make the relaxation's bound high: one for all bytes first, then each resource's own, along straight lines. */
import { realAt } from './number-at.js';
import type { Box } from './boxes.js';
import type { Chain } from './chain.js';
import { relax, type Relaxation } from './relax.js';

/** Where costs do not say what a byte may be worth. */
const LEAST_PRICE = 1e-9;
const MOST_STEPS = 60;
/** Lines that meet no higher than this fraction above the bound are not followed. */
const CLOSE = 1e-9;

export interface BoundedBox extends Box {
  readonly prices: Float64Array;
  readonly relaxation: Relaxation;
  /** No placement of the box costs less. */
  readonly bound: number;
}

/**
 * @param upper placements that cost as much are of no interest
 * @param offer is called with every relaxed placement met on the way that fits: it is an upper bound
 */
export function bestBound(
  chain: Chain,
  box: Box,
  upper = (): number => Infinity,
  offer = (_choice: Int32Array): void => undefined,
): BoundedBox {
  const { capacities } = box;
  let best = evaluated(new Float64Array(chain.resources));
  const isEnough = (): boolean => best.bound >= upper();
  climb([...capacities.keys()]);
  for (const r of chain.resources > 1 ? capacities.keys() : []) climb([r]);
  return best;

  function evaluated(prices: Float64Array): BoundedBox {
    const relaxation = relax(chain, prices, box);
    const { bound, used, choice } = relaxation;
    if (bound < Infinity && used.every((bytes, r) => bytes <= realAt(capacities, r))) offer(choice);
    return { ...box, prices, relaxation, bound };
  }

  /**
   * Seeks one price for the bytes of some resources, which just keeps the sum of their capacities. The bound is concave in the price
   * and made of straight lines, so the next price is where the lines of the two nearest ones meet.
   */
  function climb(resources: readonly number[]): void {
    const { prices: others } = best;
    const lineAt = (price: number): { price: number; bound: number; slope: number } => {
      const prices = others.map((other, r) => (resources.includes(r) ? price : other));
      const isKnown = prices.every((own, r) => own === realAt(best.prices, r));
      const tried = isKnown ? best : evaluated(prices);
      const { bound, used } = tried.relaxation;
      if (bound > best.bound) best = tried;
      return { price, bound, slope: resources.reduce((sum, r) => sum + realAt(used, r) - realAt(capacities, r), 0) };
    };
    const bytes = resources.reduce((sum, r) => sum + realAt(capacities, r), 0);
    let low = lineAt(0);
    if (low.slope <= 0) return;
    let high = lineAt(Math.max(LEAST_PRICE, low.bound / Math.max(1, bytes)));
    for (let k = 0; k < MOST_STEPS && high.slope > 0 && !isEnough(); k++) {
      low = high;
      high = lineAt(4 * high.price);
    }
    for (let k = 0; k < MOST_STEPS && low.slope > 0 && high.slope < 0 && !isEnough(); k++) {
      const price =
        (high.bound - low.bound + low.slope * low.price - high.slope * high.price) / (low.slope - high.slope);
      // Lines that are one but for rounding can meet anywhere.
      if (!(price > low.price && price < high.price)) break;
      const most = low.bound + low.slope * (price - low.price);
      const line = lineAt(price);
      if (line.slope > 0) low = line;
      else high = line;
      if (line.bound >= most - CLOSE * Math.abs(most)) break;
    }
  }
}
