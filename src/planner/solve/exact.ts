/**
 * The cheapest placement that fits, with a proof.
 *
 * Labels (cost, bytes used) walk the chain item by item; a label dies when another in the same state is no worse in
 * anything, or when its cost plus the relaxed rest cannot beat the best placement known. Because only the largest `peak`
 * counts, the search is repeated for each level that the peaks may reach, with that much set aside. Where labels become
 * too many the least promising are dropped and the lowest bound among them is remembered: the gap that is reported.
 */
import { bestBound, type BoundSearch } from './bound.js';
import { layOut, type Chain, type Levels } from './chain.js';
import { reversed } from './reversed.js';
import { leastCost, suffixFronts, type Front } from './surrogate.js';
import { forcedUse, rangesOf, type Range } from './peaks.js';
import { costOf, type Item, type Problem, type Solution } from './problem.js';

export interface SolveOptions {
  /** Labels kept per item before some are dropped. */
  readonly width?: number;
  /** Labels tried altogether before the search settles for its best answer. */
  readonly effort?: number;
  /** Only placements cheaper than this are of interest. */
  readonly cutoff?: number;
  /** Asked now and then; true stops the search with its best answer. */
  readonly stop?: () => boolean;
}

export type SolveResult =
  | {
      /** `optimal`: nothing cheaper fits. `stopped`: nothing cheaper than `bound` fits. */
      readonly status: 'optimal' | 'stopped';
      readonly solution: Solution;
      readonly bound: number;
      readonly labels: number;
    }
  | { readonly status: 'infeasible'; readonly proven: boolean; readonly labels: number };

const DEFAULT_WIDTH = 4000;
const DEFAULT_EFFORT = 1_500_000;
/** Boxes of peak levels tried one by one: as many as let all their bounds be found in a fraction of a second. */
const MOST_BOXES = 64;
const STATES_PER_BOX_SEARCH = 30_000;
/** Labels that a new one is compared with. */
const MOST_COMPARED = 64;
/** Costs closer than this fraction are equal. */
const SAME = 1e-9;

export function solveExact(problem: Problem, options: SolveOptions = {}): SolveResult {
  if (problem.items.length === 0) {
    return { status: 'optimal', solution: { choice: [], cost: 0 }, bound: 0, labels: 0 };
  }
  const result = new Search(reversed(withoutHopeless(problem)), options).run();
  if (result.status === 'infeasible') return result;
  const choice = result.solution.choice.toReversed();
  return { ...result, solution: { choice, cost: result.solution.cost } };
}

/** Closes the places that are too small for an item even alone. */
function withoutHopeless(problem: Problem): Problem {
  const { capacities } = problem;
  return {
    ...problem,
    items: problem.items.map((item): Item => ({
      cost: item.cost.map((cost, p) =>
        capacities.some((capacity, r) => (item.use[p]?.[r] ?? 0) + (item.peak[p]?.[r] ?? 0) > capacity)
          ? Infinity
          : cost,
      ),
      use: item.use,
      peak: item.peak,
      sameAs: item.sameAs,
      inputs: item.inputs,
    })),
  };
}

/** Placements whose peaks lie between two levels, on every resource. */
interface Box {
  /** Places with a higher peak are closed. */
  readonly levels: Levels;
  /** Bytes that the peaks reach at least, which nothing else can use. */
  readonly floors: Float64Array;
  readonly search: BoundSearch;
  /** `fronts[i]` bounds what item i and those after it cost. */
  fronts: readonly Front[];
  bound: number;
}

class Search {
  private readonly chain: Chain;
  private readonly problem: Problem;
  private readonly width: number;
  private readonly effort: number;
  private readonly stop: () => boolean;
  private readonly cutoff: number;
  private best: Solution | null = null;
  private labels = 0;
  private tried = 0;
  private halted = false;

  constructor(problem: Problem, options: SolveOptions) {
    this.problem = problem;
    this.chain = layOut(problem);
    this.width = options.width ?? DEFAULT_WIDTH;
    this.effort = options.effort ?? DEFAULT_EFFORT;
    this.stop = options.stop ?? (() => false);
    this.cutoff = options.cutoff ?? Infinity;
  }

  run(): SolveResult {
    const boxes = this.boxes();
    let open = Infinity;
    for (const width of [32, 512, this.width]) {
      open = Infinity;
      for (const box of boxes) {
        if (this.beaten(box.bound)) continue;
        if (box.fronts.length === 0) this.sharpen(box);
        if (this.beaten(box.bound)) continue;
        if (this.halted) open = Math.min(open, box.bound);
        else open = Math.min(open, this.walk(box, width));
      }
      if (open === Infinity) break;
    }
    if (this.best === null) return { status: 'infeasible', proven: open === Infinity, labels: this.labels };
    const { best } = this;
    const proven = this.beaten(open);
    return {
      status: proven ? 'optimal' : 'stopped',
      solution: best,
      bound: proven ? best.cost : Math.min(open, best.cost),
      labels: this.labels,
    };
  }

  private beaten(bound: number): boolean {
    return bound >= this.upper() * (1 - SAME);
  }

  private upper(): number {
    return this.best?.cost ?? this.cutoff;
  }

  private offer(choice: ArrayLike<number>): void {
    const places = Array.from(choice);
    const cost = costOf(this.problem, places);
    if (cost < this.upper() * (1 - SAME)) this.best = { choice: places, cost };
  }

  /** Every combination of peak ranges, the most promising first. */
  private boxes(): Box[] {
    const { chain } = this;
    const perResource = this.peakRanges();
    let ranges: Range[][] = [[]];
    for (const each of perResource) ranges = ranges.flatMap((set) => each.map((range) => [...set, range]));
    const boxes: Box[] = [];
    for (const set of ranges) {
      const levels = Float64Array.from(set, (range) => range.level);
      const floors = Float64Array.from(set, (range) => range.floor);
      const capacities = chain.capacities.map((capacity, r) => capacity - (floors[r] ?? 0));
      if (capacities.some((capacity) => capacity < 0)) continue;
      const search = bestBound(
        chain,
        capacities,
        levels,
        () => this.upper(),
        (choice) => {
          this.offer(choice);
        },
        // Whether anything fits is mostly clear from equal prices.
        this.cutoff < Infinity ? 10 : undefined,
      );
      if (search.relaxation.bound === Infinity) continue;
      boxes.push({ levels, floors, search, fronts: [], bound: search.relaxation.bound });
    }
    return boxes.sort((a, b) => a.bound - b.bound);
  }

  /** Ranges of peaks per resource; as many resources as there are boxes to spare are cut into several. */
  private peakRanges(): Range[][] {
    const { chain } = this;
    const ranges = Array.from({ length: chain.resources }, (_, r) => rangesOf(chain, r));
    const byCount = ranges
      .map((_, r) => r)
      .sort((a, b) => (ranges[b]?.length ?? 0) - (ranges[a]?.length ?? 0) || a - b);
    const states = chain.stages.reduce((sum, stage) => sum + stage.states, 1);
    const most = Math.max(3, Math.min(MOST_BOXES, STATES_PER_BOX_SEARCH / states));
    let count = 1;
    for (const r of byCount) {
      const own = ranges[r] ?? [];
      if (count * own.length <= most) count *= own.length;
      else ranges[r] = [{ floor: own[0]?.floor ?? 0, level: own.at(-1)?.level ?? 0 }];
    }
    return ranges;
  }

  /** The second bound costs more than the first, so only boxes that may be walked get it. */
  private sharpen(box: Box): void {
    const { prices } = box.search;
    const room = this.chain.capacities.reduce(
      (sum, capacity, r) => sum + (prices[r] ?? 0) * (capacity - (box.floors[r] ?? 0)),
      0,
    );
    box.fronts = suffixFronts(this.chain, prices, box.levels, room, this.upper());
    box.bound = Math.max(box.bound, leastCost(box.fronts[0], room));
  }

  /** Walks the chain within a box; returns the lowest bound of what it left unexplored (Infinity: nothing). */
  private walk(box: Box, width: number): number {
    const { chain } = this;
    const { places, resources } = chain;
    const { prices, relaxation } = box.search;
    const forced = forcedUse(chain, box.levels);
    let open = Infinity;
    let layer = emptyLayer();
    const history: Layer[] = [];
    for (let i = 0; i < chain.items; i++) {
      const grown = emptyLayer();
      const stage = i === 0 ? undefined : chain.stages[i - 1];
      const restStart = chain.stageStart[i] ?? 0;
      const front = box.fronts[i + 1];
      const parents = i === 0 ? 1 : layer.cost.length;
      for (let parent = 0; parent < parents; parent++) {
        const from = i === 0 ? 0 : (layer.state[parent] ?? 0);
        for (let p = 0; p < places; p++) {
          const state = stage === undefined ? p : (stage.next[from * places + p] ?? -1);
          if (state < 0) continue;
          const ip = i * places + p;
          const step = stage?.step[from * places + p] ?? 0;
          const cost = (i === 0 ? 0 : (layer.cost[parent] ?? 0)) + (chain.cost[ip] ?? Infinity) + step;
          if (cost === Infinity) continue;
          let fits = true;
          let bound = cost + (relaxation.rest[restStart + state] ?? Infinity);
          let room = 0;
          const at = grown.use.length;
          for (let r = 0; r < resources; r++) {
            const use = (i === 0 ? 0 : (layer.use[parent * resources + r] ?? 0)) + (chain.use[ip * resources + r] ?? 0);
            const own = chain.peak[ip * resources + r] ?? 0;
            const before = i === 0 ? (box.floors[r] ?? 0) : (layer.peak[parent * resources + r] ?? 0);
            const peak = Math.max(own, before);
            const capacity = chain.capacities[r] ?? 0;
            const later = forced[(i + 1) * resources + r] ?? 0;
            if (use + peak + later > capacity || own > (box.levels[r] ?? 0)) fits = false;
            grown.use.push(use);
            grown.peak.push(peak);
            bound += (prices[r] ?? 0) * (use + peak - capacity);
            room += (prices[r] ?? 0) * (capacity - use - peak);
          }
          if (fits && front !== undefined) bound = Math.max(bound, cost + leastCost(front, room));
          if (!fits || this.beaten(bound)) {
            grown.use.length = at;
            grown.peak.length = at;
            continue;
          }
          grown.cost.push(cost);
          grown.bound.push(bound);
          grown.state.push(state);
          grown.parent.push(parent);
        }
      }
      this.labels += grown.cost.length;
      this.tried += parents * places;
      const kept = this.prune(grown, width);
      open = Math.min(open, kept.dropped);
      layer = kept.layer;
      history.push(layer);
      if (layer.cost.length === 0) return open;
      if (this.tried > this.effort || this.stop()) {
        this.halted = true;
        for (const bound of layer.bound) open = Math.min(open, bound);
        return open;
      }
    }
    this.offerBest(history);
    return open;
  }

  private prune(grown: Layer, width: number): { layer: Layer; dropped: number } {
    const { resources } = this.chain;
    let order = grown.cost.map((_, k) => k);
    let dropped = Infinity;
    if (order.length > 4 * width) {
      order.sort((a, b) => (grown.bound[a] ?? 0) - (grown.bound[b] ?? 0) || a - b);
      dropped = grown.bound[order[4 * width] ?? 0] ?? Infinity;
      order = order.slice(0, 4 * width);
    }
    order.sort(
      (a, b) =>
        (grown.state[a] ?? 0) - (grown.state[b] ?? 0) ||
        (grown.cost[a] ?? 0) - (grown.cost[b] ?? 0) ||
        (grown.use[a * resources] ?? 0) - (grown.use[b * resources] ?? 0) ||
        a - b,
    );
    let survivors: number[] = [];
    let groupStart = 0;
    let group = -1;
    for (const k of order) {
      const state = grown.state[k] ?? 0;
      if (state !== group) {
        group = state;
        groupStart = survivors.length;
      }
      if (!this.dominated(grown, survivors, groupStart, k)) survivors.push(k);
    }
    if (survivors.length > width) {
      survivors.sort((a, b) => (grown.bound[a] ?? 0) - (grown.bound[b] ?? 0) || a - b);
      dropped = Math.min(dropped, grown.bound[survivors[width] ?? 0] ?? Infinity);
      survivors = survivors.slice(0, width);
    }
    const layer = emptyLayer();
    for (const k of survivors) {
      layer.cost.push(grown.cost[k] ?? 0);
      layer.bound.push(grown.bound[k] ?? 0);
      layer.state.push(grown.state[k] ?? 0);
      layer.parent.push(grown.parent[k] ?? 0);
      for (let r = 0; r < resources; r++) {
        layer.use.push(grown.use[k * resources + r] ?? 0);
        layer.peak.push(grown.peak[k * resources + r] ?? 0);
      }
    }
    return { layer, dropped };
  }

  /** Survivors of a group come in order of cost, so only bytes remain to be compared. */
  private dominated(layer: Layer, survivors: readonly number[], start: number, k: number): boolean {
    const { resources } = this.chain;
    // Looking at the nearest ones only misses a few; a label kept in vain is no error.
    const last = Math.max(start, survivors.length - MOST_COMPARED);
    for (let s = survivors.length - 1; s >= last; s--) {
      const other = survivors[s] ?? 0;
      let noWorse = true;
      for (let r = 0; r < resources && noWorse; r++) {
        const mine = layer.use[k * resources + r] ?? 0;
        const theirs = layer.use[other * resources + r] ?? 0;
        noWorse =
          theirs <= mine &&
          theirs + (layer.peak[other * resources + r] ?? 0) <= mine + (layer.peak[k * resources + r] ?? 0);
      }
      if (noWorse) return true;
    }
    return false;
  }

  private offerBest(history: readonly Layer[]): void {
    const last = history.at(-1);
    if (last === undefined) return;
    let label = 0;
    for (const [k, cost] of last.cost.entries()) if (cost < (last.cost[label] ?? Infinity)) label = k;
    const choice: number[] = [];
    for (let i = history.length - 1; i >= 0; i--) {
      const layer = history[i];
      choice.unshift((layer?.state[label] ?? 0) % this.chain.places);
      label = layer?.parent[label] ?? 0;
    }
    this.offer(choice);
  }
}

/** Labels of one item, side by side. */
interface Layer {
  readonly cost: number[];
  readonly bound: number[];
  readonly state: number[];
  readonly parent: number[];
  readonly use: number[];
  readonly peak: number[];
}

function emptyLayer(): Layer {
  return { cost: [], bound: [], state: [], parent: [], use: [], peak: [] };
}
