/**
 * Labels walk the chain item by item. A label dies when another in the same state is no worse in anything, or when its
 * cost plus a bound on the rest cannot beat the best placement known. Where labels become too many the least promising are
 * dropped, and the lowest bound among them is remembered: the gap that is reported.
 */
import { at } from '../../checked-access.js';
import { realAt, wholeAt } from './number-at.js';
import type { Chain } from './chain.js';
import type { Decomposition } from './decomposition.js';
import { BOUND, COST, Labels, PARENT, PLACE, pruned, STATE, USE } from './labels.js';
import type { BoundedBox } from './prices.js';
import { valueWithin } from './value-front.js';

export interface WalkRules {
  readonly isCutOff: (bound: number) => boolean;
  /** Takes a placement that fits, by item of the chain. */
  readonly offer: (choice: ArrayLike<number>) => void;
  /** Is told how many labels were tried, and says whether that is all. */
  readonly isSpent: (tried: number) => boolean;
}

/**
 * Walks the chain within a box.
 * @param width most labels kept per item
 * @returns the lowest bound of what was left unexplored (Infinity: nothing)
 */
export function walk(
  chain: Chain,
  box: BoundedBox,
  decomposition: Decomposition,
  width: number,
  rules: WalkRules,
): number {
  const { places, resources, capacities, devices } = chain;
  const { prices, relaxation, levels } = box;
  const { prices: outer, duals, fronts } = decomposition;
  /** What the items from each one on are worth together. */
  const restDuals = new Float64Array(chain.items + 1);
  for (let i = chain.items - 1; i >= 0; i--) restDuals[i] = realAt(restDuals, i + 1) + realAt(duals, i);
  const device = new Int32Array(places);
  for (const [d, own] of devices.entries()) for (const p of own.places) device[p] = d;
  const resource = Int32Array.from(devices, (own) => own.resource);
  const record = new Float64Array(USE + 2 * resources);
  // What the labels of an item grow into, before any is left out: one buffer for all items.
  const grown = new Labels(resources);

  /** Adds to `grown` every way on to an item from a label that fits and may still win. */
  const grow = (i: number, layer: Labels, parent: number): void => {
    const { next, step } = at(chain.stages, i);
    const restStart = wholeAt(chain.stageStart, i + 1);
    const from = layer.get(parent, STATE) * places;
    for (let p = 0; p < places; p++) {
      const state = wholeAt(next, from + p);
      if (state < 0) continue;
      const ip = i * places + p;
      const cost = layer.get(parent, COST) + realAt(chain.cost, ip) + realAt(step, from + p);
      let bound = cost - relaxation.rounding + realAt(relaxation.rest, restStart + state);
      let second = cost - relaxation.rounding + realAt(restDuals, i + 1);
      let fits = bound < Infinity;
      for (let r = 0; r < resources && fits; r++) {
        const passing = realAt(chain.peak, ip * resources + r);
        const before = layer.get(parent, USE + 2 * r);
        const use = before + realAt(chain.use, ip * resources + r);
        const taken = use + Math.max(passing, layer.get(parent, USE + 2 * r + 1) - before);
        const capacity = realAt(capacities, r);
        fits = taken <= capacity && passing <= realAt(levels, r);
        record[USE + 2 * r] = use;
        record[USE + 2 * r + 1] = taken;
        bound += realAt(prices, r) * (taken - capacity);
        second += realAt(outer, r) * (taken - capacity);
      }
      if (!fits || rules.isCutOff(bound)) continue;
      for (let d = 0; d < fronts.length; d++) {
        const r = wholeAt(resource, d);
        const room = r < 0 ? Infinity : realAt(capacities, r) - realAt(record, USE + 2 * r + 1);
        const isHere = wholeAt(device, p) === d;
        second -= valueWithin(at(at(fronts, d), 2 * (i + 1) + Number(isHere)), room);
      }
      if (fronts.length > 0) bound = Math.max(bound, second);
      if (rules.isCutOff(bound)) continue;
      record[COST] = cost;
      record[BOUND] = bound;
      record[STATE] = state;
      record[PLACE] = p;
      record[PARENT] = parent;
      grown.add(record);
    }
  };

  let open = Infinity;
  // Before the first item nothing is spent, and peaks are as high as the box says.
  let layer = new Labels(resources);
  layer.add(Float64Array.of(0, 0, 0, 0, 0, ...Array.from(box.floors).flatMap((floor) => [0, floor])));
  const history: Labels[] = [];
  for (let i = 0; i < chain.items; i++) {
    grown.size = 0;
    for (let parent = 0; parent < layer.size; parent++) grow(i, layer, parent);
    const tried = layer.size * places;
    const kept = pruned(grown, width);
    open = Math.min(open, kept.dropped);
    layer = kept.labels;
    history.push(layer);
    if (layer.size === 0) return open;
    if (rules.isSpent(tried)) {
      for (let k = 0; k < layer.size; k++) open = Math.min(open, layer.get(k, BOUND));
      return open;
    }
  }
  let label = 0;
  for (let k = 1; k < layer.size; k++) if (layer.get(k, COST) < layer.get(label, COST)) label = k;
  const choice: number[] = [];
  for (const own of history.toReversed()) {
    choice.push(own.get(label, PLACE));
    label = own.get(label, PARENT);
  }
  rules.offer(choice.toReversed());
  return open;
}
