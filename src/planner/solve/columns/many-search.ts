/** Three and more devices that can be full: a short walk, which is all that easy problems take; devices one by one; a longer walk. */
import type { Chain } from '../chain.js';
import type { Problem, Solution } from '../problem.js';
import { Search, type SearchLimits } from '../search.js';
import { manyDevices } from './many-devices.js';

/** The first walk, for so many devices at most: with more of them it finds too little. */
const SHORT = { width: 32, effort: 20_000 } as const;
const SHORT_DEVICES = 4;
/** Of the effort, for the last walk, whose bounds have been found before. */
const LAST_SHARE = 0.5;
const LAST_SHARE_OF_FEW = 0.75;
const LAST_BOUND_ROUNDS = 6;
/** Costs closer than this fraction are equal. */
const SAME = 1e-9;
/** Less is for searches that only look whether something fits. */
const LEAST_EFFORT = 200_000;

export class ManySearch {
  labels = 0;
  private readonly problem: Problem;
  private readonly chain: Chain;
  private readonly limits: SearchLimits;

  constructor(problem: Problem, chain: Chain, limits: SearchLimits) {
    this.problem = problem;
    this.chain = chain;
    this.limits = limits;
  }

  static isFor(chain: Chain, { effort }: SearchLimits): boolean {
    return chain.resources > 2 && effort > LEAST_EFFORT;
  }

  run(): { best: Solution | null; bound: number } {
    const { problem, chain, limits } = this;
    const { cutoff, stop } = limits;
    const short =
      chain.resources <= SHORT_DEVICES ? this.walk({ ...limits, ...SHORT }) : { best: null, bound: -Infinity };
    if (short.bound === Infinity || stop()) return short;
    const many = manyDevices(problem, chain, { cutoff, known: short.best, stop });
    const low = Math.max(short.bound, many.bound);
    const upper = Math.min(cutoff, many.best?.cost ?? Infinity);
    if (low >= upper * (1 - SAME)) return { best: many.best, bound: Infinity };
    const effort = (chain.resources <= SHORT_DEVICES ? LAST_SHARE_OF_FEW : LAST_SHARE) * limits.effort;
    const { best, bound } = this.walk({
      ...limits,
      effort,
      boundRounds: LAST_BOUND_ROUNDS,
      known: many.best,
      worth: many.worth,
    });
    return { best, bound: Math.max(low, bound) };
  }

  private walk(limits: SearchLimits): { best: Solution | null; bound: number } {
    const search = new Search(this.problem, limits);
    const found = search.run();
    this.labels += search.labels;
    return found;
  }
}
