/**
 * The cheapest placement that fits, with a proof or with the gap that is left.
 *
 * Bounds come first, prices per byte (`prices.ts`) and then duals per item, device by device (`decomposition.ts`); a walk along
 * the chain (`walk.ts`) leaves out what they rule out.
 */
import { wholeBox } from './boxes.js';
import { layOut } from './chain.js';
import { bestBound } from './prices.js';
import { costOf, withoutCosts, withPlaces, type Answer, type Problem, type Solution } from './problem.js';
import { mostFitting } from './resources.js';
import { search, type SolveOptions } from './search.js';

/** For up to two devices that can be full: about a second on one core. */
export const DEFAULT_EFFORT = 1_200_000;
const LIMITS = { cutoff: Infinity, width: 32_000, effort: DEFAULT_EFFORT, stop: () => false };
/** To find anything that fits where a search for the best found nothing. */
const RESCUE = { ...LIMITS, width: 512, effort: 100_000 };

export function solveExact(problem: Problem, options: SolveOptions = {}): Answer {
  const limits = { ...LIMITS, ...options };
  const open = withoutHopeless(problem);
  const result = search(open, limits);
  if (result.solution !== null || result.bound === Infinity || limits.cutoff < Infinity) return result;
  return { ...result, solution: anyFitting(open) };
}

/** What every placement that fits costs at least, by prices per byte alone; Infinity where it is clear that none fits. */
export function leastCost(problem: Problem): number {
  const chain = layOut(withoutHopeless(problem));
  return bestBound(chain, wholeBox(chain)).bound;
}

/** A placement that fits, whatever it costs. */
function anyFitting(problem: Problem): Solution | null {
  const { solution } = search(withoutCosts(problem), RESCUE);
  return solution && { ...solution, cost: costOf(problem, solution.choice) };
}

/** Closes the places that are too small for an item even alone. */
function withoutHopeless(problem: Problem): Problem {
  return withPlaces(problem, (item, place) => mostFitting(problem, item, place) >= 1);
}
