/**
 * The cheapest way through a chain when bytes have a price lambda instead of capacities: one backward pass. That pass
 * minus lambda x capacity bounds every placement that fits from below (Lagrangian relaxation), from the start and from
 * every state on.
 */
import { at } from '../../checked-access.js';
import { realAt, wholeAt } from './number-at.js';
import type { Chain, Levels } from './chain.js';

export interface Relaxation {
  /** Cheapest rest of the chain after item i in a state, bytes priced: `[stageStart[item] + state]`. */
  readonly rest: Float64Array;
  /** Lower bound on the cost of any placement that keeps to the capacities and levels. */
  readonly bound: number;
  /** A cheapest placement at these prices; it need not fit, and means nothing where the bound is infinite. */
  readonly choice: Int32Array;
  /** Bytes that placement uses per resource. */
  readonly used: Float64Array;
}

export function relax(chain: Chain, prices: Float64Array, capacities: Float64Array, levels: Levels): Relaxation {
  const { items, places, resources } = chain;
  const priced = new Float64Array(items * places);
  for (let ip = 0; ip < items * places; ip++) {
    let value = realAt(chain.cost, ip);
    for (let r = 0; r < resources; r++) {
      if (realAt(chain.peak, ip * resources + r) > realAt(levels, r)) value = Infinity;
      else value += realAt(prices, r) * realAt(chain.use, ip * resources + r);
    }
    priced[ip] = value;
  }
  const { stageStart } = chain;
  // After the last item nothing is left to pay.
  const rest = new Float64Array(wholeAt(stageStart, items));
  const pick = new Int32Array(rest.length);
  for (let i = items - 2; i >= 0; i--) {
    const { next, step, states } = at(chain.stages, i);
    const here = wholeAt(stageStart, i);
    const there = wholeAt(stageStart, i + 1);
    const alike = at(chain.alike, i);
    for (let state = 0; state < states; state++) {
      const first = wholeAt(alike, state);
      if (first < state) {
        rest[here + state] = realAt(rest, here + first);
        pick[here + state] = wholeAt(pick, here + first);
        continue;
      }
      let least = Infinity;
      let place = -1;
      for (let p = 0; p < places; p++) {
        const sp = state * places + p;
        const target = wholeAt(next, sp);
        if (target < 0) continue;
        const value = realAt(step, sp) + realAt(priced, (i + 1) * places + p) + realAt(rest, there + target);
        if (value < least) {
          least = value;
          place = p;
        }
      }
      rest[here + state] = least;
      pick[here + state] = place;
    }
  }
  let total = Infinity;
  let start = 0;
  for (let p = 0; p < places; p++) {
    const value = realAt(priced, p) + realAt(rest, p);
    if (value < total) {
      total = value;
      start = p;
    }
  }
  const choice = new Int32Array(items);
  const used = new Float64Array(resources);
  let state = start;
  // Without a way through there is no placement either.
  const steps = total < Infinity ? items : 0;
  for (let i = 0; i < steps; i++) {
    const place = i === 0 ? start : wholeAt(pick, wholeAt(stageStart, i - 1) + state);
    if (i > 0) state = wholeAt(at(chain.stages, i - 1).next, state * places + place);
    choice[i] = place;
    for (let r = 0; r < resources; r++)
      used[r] = realAt(used, r) + realAt(chain.use, (i * places + place) * resources + r);
  }
  let bound = total;
  for (let r = 0; r < resources; r++) bound -= realAt(prices, r) * realAt(capacities, r);
  return { rest, bound, choice, used };
}
