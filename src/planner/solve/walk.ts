/**
 * Labels walk the chain item by item. A label dies when another in the same state is no worse in anything, or when its
 * cost plus a bound on the rest cannot beat the best placement known. Where labels become too many the least promising are
 * dropped, and the lowest bound among them is remembered: the gap that is reported.
 */
import type { Box } from './boxes.js';
import type { Chain } from './chain.js';
import { Labels } from './labels.js';
import { forcedUse } from './peaks.js';
import { pruned } from './prune.js';
import { valueWithin } from './value-front.js';
import { worthFrom, type Decomposition } from './worths.js';

export interface WalkRules {
  /** Per resource, an equal one that has to be used first, or -1. */
  readonly before: Int32Array;
  readonly beaten: (bound: number) => boolean;
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

  constructor(chain: Chain, rules: WalkRules) {
    this.chain = chain;
    this.rules = rules;
  }

  /** Walks the chain within a box; returns the lowest bound of what it left unexplored (Infinity: nothing). */
  run(box: Box, decomposition: Decomposition, width: number): number {
    const { chain, rules } = this;
    const grow = this.grower(box, decomposition);
    let open = Infinity;
    let layer = new Labels(chain.resources);
    const history: Labels[] = [];
    for (let i = 0; i < chain.items; i++) {
      const grown = new Labels(chain.resources);
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
    const { bidders, prices: outer, worth, fronts } = decomposition;
    const forced = forcedUse(chain, box.levels);
    const restWorth = worthFrom(worth);
    const device = new Int32Array(places);
    for (const [d, { share }] of bidders.entries()) for (const p of share.places) device[p] = d;
    const resource = Int32Array.from(bidders, ({ share }) => share.resource);
    const before = rules.before.map((a, b) =>
      a >= 0 && box.floors[a] === box.floors[b] && box.levels[a] === box.levels[b] ? a : -1,
    );
    const use = new Float64Array(resources);
    const peak = new Float64Array(resources);
    return (i, layer, parent, grown) => {
      const stage = i === 0 ? undefined : chain.stages[i - 1];
      const alike = chain.alike[i];
      const restStart = chain.stageStart[i] ?? 0;
      const first = stage === undefined;
      const from = first ? 0 : (layer.state[parent] ?? 0);
      const spent = first ? 0 : (layer.cost[parent] ?? 0);
      const used = first ? 0 : (layer.used[parent] ?? 0);
      for (let p = 0; p < places; p++) {
        const state = first ? p : (stage.next[from * places + p] ?? -1);
        if (state < 0) continue;
        const here = device[p] ?? 0;
        const own = resource[here] ?? -1;
        const earlier = own < 0 ? -1 : (before[own] ?? -1);
        if (earlier >= 0 && (used & (1 << own)) === 0 && (used & (1 << earlier)) === 0) continue;
        const ip = i * places + p;
        const cost = spent + (chain.cost[ip] ?? Infinity) + (first ? 0 : (stage.step[from * places + p] ?? 0));
        let bound = cost + (relaxation.rest[restStart + state] ?? Infinity);
        let second = cost + (restWorth[i + 1] ?? 0);
        let fits = bound < Infinity;
        for (let r = 0; r < resources && fits; r++) {
          const at = parent * resources + r;
          const passing = chain.peak[ip * resources + r] ?? 0;
          const sum = (first ? 0 : (layer.use[at] ?? 0)) + (chain.use[ip * resources + r] ?? 0);
          const most = Math.max(passing, first ? (box.floors[r] ?? 0) : (layer.peak[at] ?? 0));
          const capacity = capacities[r] ?? 0;
          const later = forced[(i + 1) * resources + r] ?? 0;
          fits = sum + most + later <= capacity && passing <= (box.levels[r] ?? 0);
          const taken = fits ? box.reach.rounded(i + 1, r, sum, most) : sum;
          use[r] = taken;
          peak[r] = most;
          bound += (prices[r] ?? 0) * (taken + most - capacity);
          second += (outer[r] ?? 0) * (taken + most - capacity);
        }
        if (!fits || rules.beaten(bound)) continue;
        for (let d = 0; d < fronts.length; d++) {
          const r = resource[d] ?? -1;
          const room = r < 0 ? Infinity : (capacities[r] ?? 0) - (use[r] ?? 0) - (peak[r] ?? 0);
          const front = here === d ? fronts[d]?.inside[i + 1] : fronts[d]?.outside[i + 1];
          if (front !== undefined) second -= valueWithin(front, room);
        }
        if (fronts.length > 0) bound = Math.max(bound, second);
        if (rules.beaten(bound)) continue;
        const k = grown.next();
        grown.cost[k] = cost;
        grown.bound[k] = bound;
        grown.state[k] = alike?.[state] ?? state;
        grown.place[k] = p;
        grown.parent[k] = parent;
        grown.used[k] = own < 0 ? used : used | (1 << own);
        for (let r = 0; r < resources; r++) {
          grown.use[k * resources + r] = use[r] ?? 0;
          grown.peak[k * resources + r] = peak[r] ?? 0;
        }
        grown.size += 1;
      }
    };
  }

  private cheapest(history: readonly Labels[]): number[] {
    const last = history.at(-1);
    let label = 0;
    for (let k = 1; k < (last?.size ?? 0); k++) if ((last?.cost[k] ?? 0) < (last?.cost[label] ?? 0)) label = k;
    const choice: number[] = [];
    for (const layer of history.toReversed()) {
      choice.push(layer.place[label] ?? 0);
      label = layer.parent[label] ?? 0;
    }
    return choice.toReversed();
  }
}
