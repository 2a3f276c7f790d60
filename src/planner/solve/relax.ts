/**
 * The cheapest way through a chain when bytes have a price lambda instead of capacities: one backward pass. That pass
 * minus lambda x capacity bounds every placement that fits from below (Lagrangian relaxation), from the start and from
 * every state on.
 */
import type { Chain, Levels } from './chain.js';

export interface Relaxation {
  /** Cheapest rest of the chain after item i in a state, bytes priced: `[stageStart[item] + state]`. */
  readonly rest: Float64Array;
  /** Lower bound on the cost of any placement that keeps to the capacities and levels. */
  readonly bound: number;
  /** A cheapest placement at these prices; it need not fit. */
  readonly choice: Int32Array;
  /** Bytes that placement uses per resource. */
  readonly used: Float64Array;
}

export function relax(chain: Chain, prices: Float64Array, capacities: Float64Array, levels: Levels): Relaxation {
  const { items, places, resources } = chain;
  const priced = new Float64Array(items * places);
  for (let ip = 0; ip < items * places; ip++) {
    let value = chain.cost[ip] ?? Infinity;
    for (let r = 0; r < resources; r++) {
      if ((chain.peak[ip * resources + r] ?? 0) > (levels[r] ?? 0)) value = Infinity;
      else value += (prices[r] ?? 0) * (chain.use[ip * resources + r] ?? 0);
    }
    priced[ip] = value;
  }
  const { stageStart } = chain;
  // After the last item nothing is left to pay.
  const rest = new Float64Array(stageStart[items] ?? 0);
  const pick = new Int32Array(rest.length);
  for (let i = items - 2; i >= 0; i--) {
    const stage = chain.stages[i];
    if (stage === undefined) continue;
    const { next, step, states } = stage;
    const here = stageStart[i] ?? 0;
    const there = stageStart[i + 1] ?? 0;
    for (let state = 0; state < states; state++) {
      let least = Infinity;
      let place = -1;
      for (let p = 0; p < places; p++) {
        const at = state * places + p;
        const target = next[at] ?? -1;
        if (target < 0) continue;
        const value = (step[at] ?? 0) + (priced[(i + 1) * places + p] ?? Infinity) + (rest[there + target] ?? 0);
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
  let first = 0;
  for (let p = 0; p < places; p++) {
    const value = (priced[p] ?? Infinity) + (rest[p] ?? 0);
    if (value < total) {
      total = value;
      first = p;
    }
  }
  const choice = new Int32Array(items);
  const used = new Float64Array(resources);
  let state = first;
  for (let i = 0; i < items; i++) {
    const place = i === 0 ? first : (pick[(stageStart[i - 1] ?? 0) + state] ?? 0);
    if (i > 0) state = chain.stages[i - 1]?.next[state * places + place] ?? 0;
    choice[i] = place;
    for (let r = 0; r < resources; r++)
      used[r] = (used[r] ?? 0) + (chain.use[(i * places + place) * resources + r] ?? 0);
  }
  let bound = total;
  for (let r = 0; r < resources; r++) bound -= (prices[r] ?? 0) * (capacities[r] ?? 0);
  return { rest, bound, choice, used };
}
