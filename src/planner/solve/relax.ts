/**
 * The cheapest way through a chain when bytes have a price lambda instead of capacities: one backward pass. That pass
 * minus lambda x capacity bounds every placement that fits from below (Lagrangian relaxation), from the start and from
 * every state on.
 */
import { at } from '../../checked-access.js';
import { realAt, wholeAt } from './number-at.js';
import type { Box } from './boxes.js';
import type { Chain } from './chain.js';

export interface Relaxation {
  /** Cheapest rest of the chain from item i on in a state before it, bytes priced: `[stageStart[item] + state]`. */
  readonly rest: Float64Array;
  /** Lower bound on the cost of any placement that is in the box. */
  readonly bound: number;
  /** A cheapest placement at these prices; it need not fit, and means nothing where the bound is infinite. */
  readonly choice: Int32Array;
  /** Bytes that placement uses per resource. */
  readonly used: Float64Array;
  /** What floating point can have raised any sum of costs with these prices: much where a few bytes are dear, as their price is paid for all. */
  readonly rounding: number;
}

/** Of a number, as a fraction: what one addition can lose, and as much again for each of the factors and sums beside it. */
const ROUNDING = 2 ** -45;

export function relax(chain: Chain, prices: Float64Array, { capacities, levels }: Box): Relaxation {
  const { items, places, resources, stageStart } = chain;
  const priced = pricedCosts(chain, prices, levels);
  // After the last item nothing is left to pay.
  const rest = new Float64Array(wholeAt(stageStart, items + 1));
  const pick = new Int32Array(rest.length);
  for (let i = items - 1; i >= 0; i--) {
    const { next, step, states } = at(chain.stages, i);
    const here = wholeAt(stageStart, i);
    const there = wholeAt(stageStart, i + 1);
    for (let state = 0; state < states; state++) {
      let least = Infinity;
      let place = -1;
      for (let p = 0; p < places; p++) {
        const sp = state * places + p;
        const target = wholeAt(next, sp);
        if (target < 0) continue;
        const value = realAt(step, sp) + realAt(priced, i * places + p) + realAt(rest, there + target);
        if (value < least) {
          least = value;
          place = p;
        }
      }
      rest[here + state] = least;
      pick[here + state] = place;
    }
  }
  const bound = realAt(rest, 0);
  const choice = new Int32Array(items);
  const used = new Float64Array(resources);
  let state = 0;
  // Without a way through there is no placement either.
  const steps = bound < Infinity ? items : 0;
  for (let i = 0; i < steps; i++) {
    const place = wholeAt(pick, wholeAt(stageStart, i) + state);
    state = wholeAt(at(chain.stages, i).next, state * places + place);
    choice[i] = place;
    for (let r = 0; r < resources; r++)
      used[r] = realAt(used, r) + realAt(chain.use, (i * places + place) * resources + r);
  }
  const fixed = prices.reduce((sum, price, r) => sum + price * realAt(capacities, r), 0);
  const rounding = ROUNDING * items * fixed;
  return { rest, bound: bound - fixed - rounding, choice, used, rounding };
}

/** `[item * places + place]`: cost with bytes priced; Infinity where the peak is above a level. */
function pricedCosts({ items, places, resources, cost, use, peak }: Chain, prices: Float64Array, levels: Float64Array) {
  const priced = new Float64Array(items * places);
  for (let ip = 0; ip < items * places; ip++) {
    let value = realAt(cost, ip);
    for (let r = 0; r < resources; r++) {
      if (realAt(peak, ip * resources + r) > realAt(levels, r)) value = Infinity;
      else value += realAt(prices, r) * realAt(use, ip * resources + r);
    }
    priced[ip] = value;
  }
  return priced;
}
