/** Boxes of peaks, bounded and walked again and again with more labels until nothing is left open. */
import { at } from '../../checked-access.js';
import { realAt } from './number-at.js';
import { boxParts, peakBoxes, type Box, type BoxSides } from './boxes.js';
import { layOut, type Chain } from './chain.js';
import { decompose } from './decomposition.js';
import { devicePlaces, type DevicePlaces } from './device-places.js';
import { localSearch } from './local-search.js';
import { forcedUse } from './peaks.js';
import { bestBound } from './prices.js';
import { costOf, type Problem, type Solution } from './problem.js';
import { Walk } from './walk.js';

export interface SearchLimits {
  readonly cutoff: number;
  readonly width: number;
  readonly effort: number;
  readonly boundRounds: number | undefined;
  readonly stop: () => boolean;
}

/** What a pass over the boxes may take. */
interface Pass {
  /** Labels kept per item. */
  readonly width: number;
  /** Most pairs of a device's front. */
  readonly pairs: number;
}

/**
 * For one, two, and three or more resources that can run out. Narrow passes find good placements, which make wide ones
 * cheap. A label for one device costs little, so that the first pass is all that most problems take.
 */
const PASSES: readonly (readonly Pass[])[] = [
  [
    { width: 4, pairs: 100 },
    { width: 64, pairs: 400 },
    { width: 512, pairs: 1000 },
    { width: 4000, pairs: 4000 },
    { width: 32_000, pairs: 4000 },
  ],
  [
    { width: 32, pairs: 400 },
    { width: 512, pairs: 2000 },
    { width: 4000, pairs: 4000 },
    { width: 32_000, pairs: 16_000 },
  ],
  [
    { width: 32, pairs: 400 },
    { width: 256, pairs: 400 },
    { width: 2000, pairs: 1000 },
    { width: 32_000, pairs: 4000 },
  ],
];
/** Of the labels, for boxes before they are cut: most problems need no more. */
const COARSE_SHARE = 0.5;
/** Costs closer than this fraction are equal. */
const SAME = 1e-9;

export class Search {
  private readonly problem: Problem;
  private readonly limits: SearchLimits;
  readonly chain: Chain;
  private readonly devices: readonly DevicePlaces[];
  private readonly walk: Walk;
  private best: Solution | null = null;
  /** Of the last local search. */
  private searchedCost = Infinity;

  constructor(problem: Problem, limits: SearchLimits) {
    this.problem = problem;
    this.limits = limits;
    this.chain = layOut(problem);
    this.devices = devicePlaces(problem, this.chain);
    this.walk = new Walk(this.chain, {
      devices: this.devices,
      isCutOff: (bound) => this.isCutOff(bound),
      offer: (choice) => {
        this.offer(choice);
      },
      stop: limits.stop,
    });
  }

  get labels(): number {
    return this.walk.tried;
  }

  /** The best placement met, and what every placement costs at least: Infinity where none is better, or none fits. */
  run(): { best: Solution | null; bound: number } {
    const { chain, limits } = this;
    const least = forcedUse(chain, new Float64Array(chain.resources).fill(Infinity));
    if (chain.capacities.some((capacity, r) => realAt(least, r) > capacity)) return { best: null, bound: Infinity };
    // A label with many devices is compared and bounded once for each of them.
    const effort = limits.effort * Math.min(1, 2 / Math.max(1, chain.resources));
    let boxes = this.passes(this.bounded(peakBoxes(chain), 0), COARSE_SHARE * effort);
    if (boxes.length > 0 && !limits.stop()) {
      const parts = boxes.flatMap((box) => this.bounded(boxParts(chain, box), box.bound));
      boxes = this.passes(parts, effort);
    }
    return { best: this.best, bound: Math.min(Infinity, ...boxes.map(({ bound }) => bound)) };
  }

  /** Walks boxes with more and more labels; returns those that are still open. */
  private passes(start: Box[], effort: number): Box[] {
    const { walk, limits } = this;
    walk.effort = effort;
    walk.halted = false;
    let boxes = start;
    const passes = at(PASSES, Math.max(0, Math.min(this.chain.resources, PASSES.length) - 1));
    for (const pass of passes) {
      const width = Math.min(pass.width, limits.width);
      boxes = boxes.sort((a, b) => a.bound - b.bound).flatMap((box) => this.walked(box, { ...pass, width }));
      boxes = boxes.filter(({ bound }) => !this.isCutOff(bound));
      if (boxes.length === 0 || walk.halted || pass.width >= limits.width) break;
      this.searchNearBest();
    }
    return boxes.filter(({ bound }) => !this.isCutOff(bound));
  }

  private searchNearBest(): void {
    if (this.best === null || this.chain.resources < 2 || this.best.cost >= this.searchedCost) return;
    this.best = localSearch(this.problem, this.best, this.limits.stop);
    this.searchedCost = this.best.cost;
  }

  private bounded(sides: readonly BoxSides[], least: number): Box[] {
    const { chain, limits } = this;
    const upper = (): number => this.upper();
    const offer = (choice: ArrayLike<number>): void => {
      this.offer(choice);
    };
    return sides
      .map((box): Box => {
        const search = bestBound(chain, box.capacities, box.levels, upper, offer, limits.boundRounds);
        return { ...box, search, bound: Math.max(least, search.relaxation.bound) };
      })
      .filter(({ bound }) => bound < Infinity);
  }

  /** The box with a better bound, or nothing once it is closed. */
  private walked(box: Box, { width, pairs }: Pass): Box[] {
    if (this.isCutOff(box.bound)) return [];
    if (this.walk.halted) return [box];
    const { capacities, levels } = box;
    const { prices } = box.search;
    const decomposition = decompose(this.chain, this.devices, {
      prices,
      capacities,
      levels,
      pairs,
      upper: this.upper(),
    });
    const bound = Math.max(box.bound, decomposition.bound);
    if (this.isCutOff(bound)) return [];
    const left = this.walk.run(box, decomposition, width);
    return left === Infinity ? [] : [{ ...box, bound: Math.max(bound, left) }];
  }

  private isCutOff(bound: number): boolean {
    return bound >= this.upper() * (1 - SAME);
  }

  private upper(): number {
    return this.best?.cost ?? this.limits.cutoff;
  }

  private offer(choice: ArrayLike<number>): void {
    const places = Array.from(choice);
    const cost = costOf(this.problem, places);
    if (cost < this.upper() * (1 - SAME)) this.best = { choice: places, cost };
  }
}
