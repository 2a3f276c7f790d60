/**
 * Labels walk the chain item by item. A label dies when another in the same state is no worse in anything, or when its
 * cost plus a bound on the rest cannot beat the best placement known. Where labels become too many the least promising are
 * dropped, and the lowest bound among them is remembered: the gap that is reported.
 */
import { at } from '../../checked-access.js';
import { realAt, wholeAt } from './number-at.js';
import type { Box } from './boxes.js';
import type { Chain } from './chain.js';
import type { Decomposition } from './decomposition.js';
import type { DevicePlaces } from './device-places.js';
import { Labels } from './labels.js';
import { forcedUse } from './peaks.js';
import { pruned } from './prune.js';
import { valueWithin } from './value-front.js';

export interface WalkRules {
  readonly devices: readonly DevicePlaces[];
  readonly isCutOff: (bound: number) => boolean;
  readonly offer: (choice: ArrayLike<number>) => void;
  readonly stop: () => boolean;
}

export class Walk {
  tried = 0;
  /** Labels tried altogether before the walk halts. */
  effort = Infinity;
  halted = false;
  private readonly chain: Chain;
  private readonly rules: WalkRules;
  /** What the labels of an item grow into, before any is left out: one buffer for all items. */
  private readonly grown: Labels;

  constructor(chain: Chain, rules: WalkRules) {
    this.chain = chain;
    this.rules = rules;
    this.grown = new Labels(chain.resources);
  }

  /** Walks the chain within a box; returns the lowest bound of what it left unexplored (Infinity: nothing). */
  run(box: Box, decomposition: Decomposition, width: number): number {
    const { chain, rules, grown } = this;
    const grow = this.grower(box, decomposition);
    let open = Infinity;
    let layer = new Labels(chain.resources);
    const history: Labels[] = [];
    for (let i = 0; i < chain.items; i++) {
      grown.size = 0;
      const parents = i === 0 ? 1 : layer.size;
      for (let parent = 0; parent < parents; parent++) grow(i, layer, parent, grown);
      this.tried += parents * chain.places;
      const kept = pruned(grown, chain.resources, width);
      open = Math.min(open, kept.dropped);
      layer = kept.labels;
      history.push(layer);
      if (layer.size === 0) return open;
      if (this.tried > this.effort || rules.stop()) {
        this.halted = true;
        return layer.bound.reduce((least, bound) => Math.min(least, bound), open);
      }
    }
    rules.offer(this.cheapest(history));
    return open;
  }

  /** Adds to `grown` every way on from a label that fits and may still win. */
  private grower(
    box: Box,
    decomposition: Decomposition,
  ): (i: number, layer: Labels, parent: number, grown: Labels) => void {
    const { chain, rules } = this;
    const { places, resources, capacities } = chain;
    const { prices, relaxation } = box.search;
    const { prices: outer, duals, fronts } = decomposition;
    const forced = forcedUse(chain, box.levels);
    const restDuals = sumsFrom(duals);
    const device = new Int32Array(places);
    for (const [d, own] of rules.devices.entries()) for (const p of own.places) device[p] = d;
    const resource = Int32Array.from(rules.devices, (own) => own.resource);
    const use = new Float64Array(resources);
    const peak = new Float64Array(resources);
    return (i, layer, parent, grown) => {
      const stage = i === 0 ? undefined : at(chain.stages, i - 1);
      const alike = at(chain.alike, i);
      const restStart = wholeAt(chain.stageStart, i);
      const first = stage === undefined;
      const from = first ? 0 : wholeAt(layer.state, parent);
      const spent = first ? 0 : realAt(layer.cost, parent);
      for (let p = 0; p < places; p++) {
        const state = first ? p : wholeAt(stage.next, from * places + p);
        if (state < 0) continue;
        const here = wholeAt(device, p);
        const ip = i * places + p;
        const cost = spent + realAt(chain.cost, ip) + (first ? 0 : realAt(stage.step, from * places + p));
        let bound = cost + realAt(relaxation.rest, restStart + state);
        let second = cost + realAt(restDuals, i + 1);
        let fits = bound < Infinity;
        for (let r = 0; r < resources && fits; r++) {
          const pr = parent * resources + r;
          const passing = realAt(chain.peak, ip * resources + r);
          const sum = (first ? 0 : realAt(layer.use, pr)) + realAt(chain.use, ip * resources + r);
          const most = Math.max(passing, first ? realAt(box.floors, r) : realAt(layer.peak, pr));
          const capacity = realAt(capacities, r);
          const later = realAt(forced, (i + 1) * resources + r);
          fits = sum + most + later <= capacity && passing <= realAt(box.levels, r);
          use[r] = sum;
          peak[r] = most;
          bound += realAt(prices, r) * (sum + most - capacity);
          second += realAt(outer, r) * (sum + most - capacity);
        }
        if (!fits || rules.isCutOff(bound)) continue;
        for (let d = 0; d < fronts.length; d++) {
          const r = wholeAt(resource, d);
          const room = r < 0 ? Infinity : realAt(capacities, r) - realAt(use, r) - realAt(peak, r);
          const { inside, outside } = at(fronts, d);
          second -= valueWithin(at(here === d ? inside : outside, i + 1), room);
        }
        if (fronts.length > 0) bound = Math.max(bound, second);
        if (rules.isCutOff(bound)) continue;
        const k = grown.next();
        grown.cost[k] = cost;
        grown.bound[k] = bound;
        grown.state[k] = wholeAt(alike, state);
        grown.place[k] = p;
        grown.parent[k] = parent;
        for (let r = 0; r < resources; r++) {
          grown.use[k * resources + r] = realAt(use, r);
          grown.peak[k * resources + r] = realAt(peak, r);
        }
        grown.size += 1;
      }
    };
  }

  private cheapest(history: readonly Labels[]): number[] {
    const last = at(history, history.length - 1);
    let label = 0;
    for (let k = 1; k < last.size; k++) if (realAt(last.cost, k) < realAt(last.cost, label)) label = k;
    const choice: number[] = [];
    for (const layer of history.toReversed()) {
      choice.push(wholeAt(layer.place, label));
      label = wholeAt(layer.parent, label);
    }
    return choice.toReversed();
  }
}

/** What the items from each one on are worth together. */
function sumsFrom(duals: Float64Array): Float64Array {
  const from = new Float64Array(duals.length + 1);
  for (let i = duals.length - 1; i >= 0; i--) from[i] = realAt(from, i + 1) + realAt(duals, i);
  return from;
}
