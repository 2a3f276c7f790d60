/**
 * The cheapest placement that fits, with a proof or with the gap that is left.
 *
 * Bounds come first, prices per byte (`prices.ts`) and then duals per item, device by device (`decomposition.ts`); a walk along
 * the chain (`walk.ts`) leaves out what they rule out; local search (`local-search.ts`) improves what it finds.
 */
import { wholeBox } from './boxes.js';
import { layOut } from './chain.js';
import { localSearch } from './local-search.js';
import { bestBound } from './prices.js';
import { costOf, withoutCosts, withPlaces, type Problem, type Solution } from './problem.js';
import { mostFitting } from './resources.js';
import { search, type SolveOptions } from './search.js';

/** `left` is the problem without places that bounds rule out: all that is cheaper than the solution, or than the cutoff, is possible in it. */
export type SolveResult =
  | {
      /** `optimal`: nothing cheaper fits. `stopped`: nothing cheaper than `bound` fits. */
      readonly status: 'optimal' | 'stopped';
      readonly solution: Solution;
      readonly bound: number;
      readonly left: Problem;
    }
  | {
      /** Nothing fits and costs less than the cutoff; unless `proven`, something that costs `bound` or more might. */
      readonly status: 'infeasible';
      readonly proven: boolean;
      readonly bound: number;
      readonly left: Problem;
    };

/** For up to two devices that can be full: about a second on one core. */
export const DEFAULT_EFFORT = 1_200_000;
const LIMITS = { cutoff: Infinity, width: 32_000, effort: DEFAULT_EFFORT, stop: () => false };
/** To find anything that fits where a search for the best found nothing. */
const RESCUE = { ...LIMITS, width: 512, effort: 100_000 };

export function solveExact(problem: Problem, options: SolveOptions = {}): SolveResult {
  if (problem.items.length === 0)
    return { status: 'optimal', solution: { choice: [], cost: 0 }, bound: 0, left: problem };
  const limits = { ...LIMITS, ...options };
  const open = withoutHopeless(problem);
  const { best, bound, left } = search(open, limits);
  const solution = best ?? (bound < Infinity && limits.cutoff === Infinity ? anyFitting(open, limits.stop) : null);
  if (solution === null) return { status: 'infeasible', proven: bound === Infinity, bound, left };
  const isProven = bound >= solution.cost;
  return { status: isProven ? 'optimal' : 'stopped', solution, bound: Math.min(bound, solution.cost), left };
}

/** What every placement that fits costs at least, by prices per byte alone; Infinity where it is clear that none fits. */
export function leastCost(problem: Problem): number {
  const chain = layOut(withoutHopeless(problem));
  return bestBound(chain, wholeBox(chain)).bound;
}

/** A placement that fits, whatever it costs. */
function anyFitting(problem: Problem, stop: () => boolean): Solution | null {
  const { best } = search(withoutCosts(problem), RESCUE);
  if (best === null) return null;
  return localSearch(problem, { choice: best.choice, cost: costOf(problem, best.choice) }, stop);
}

/** Closes the places that are too small for an item even alone. */
function withoutHopeless(problem: Problem): Problem {
  return withPlaces(problem, (item, place) => mostFitting(problem, item, place) >= 1);
}
