/**
 * The cheapest placement that fits, with a proof or with the gap that is left.
 *
 * Bounds come first, prices per byte (`prices.ts`) and then duals per item, device by device (`decomposition.ts`); a walk along
 * the chain (`walk.ts`) leaves out what they rule out; local search (`local-search.ts`) improves what it finds.
 */
import { at } from '../../checked-access.js';
import { layOut } from './chain.js';
import { localSearch } from './local-search.js';
import { bestBound } from './prices.js';
import { costOf, type Item, type Problem, type Solution } from './problem.js';
import { reversed } from './reversed.js';
import { Search } from './search.js';

export interface SolveOptions {
  /** Most labels kept per item. */
  readonly width?: number;
  /** Labels tried altogether before the search settles for its best answer. */
  readonly effort?: number;
  /** Only placements cheaper than this are of interest. */
  readonly cutoff?: number;
  /** Rounds of the search for prices per byte; few are enough to see whether anything fits. */
  readonly boundRounds?: number;
  /** Asked now and then; true stops the search with its best answer, which is sought at least until there is one. */
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
  | {
      /** Nothing fits and costs less than the cutoff; unless `proven`, something that costs `bound` or more might. */
      readonly status: 'infeasible';
      readonly proven: boolean;
      readonly bound: number;
      readonly labels: number;
    };

/** For up to two devices that can be full: about a second on one core. More devices get less, each label costs more. */
export const DEFAULT_EFFORT = 1_200_000;
const PRICE_ROUNDS = 15;
const MOST_WIDTH = 32_000;
/** Labels tried to find anything that fits where a search for the best found nothing. */
const RESCUE_EFFORT = 100_000;

export function solveExact(problem: Problem, options: SolveOptions = {}): SolveResult {
  if (problem.items.length === 0) {
    return { status: 'optimal', solution: { choice: [], cost: 0 }, bound: 0, labels: 0 };
  }
  const result = solve(reversed(withoutHopeless(problem)), options);
  if (result.status === 'infeasible') return result;
  const choice = result.solution.choice.toReversed();
  return { ...result, solution: { choice, cost: result.solution.cost } };
}

/** What every placement that fits costs at least, by prices per byte alone; Infinity where it is clear that none fits. */
export function leastCost(problem: Problem): number {
  const chain = layOut(withoutHopeless(problem));
  const levels = new Float64Array(chain.resources).fill(Infinity);
  return bestBound(
    chain,
    chain.capacities,
    levels,
    () => Infinity,
    () => undefined,
    PRICE_ROUNDS,
  ).relaxation.bound;
}

function solve(problem: Problem, options: SolveOptions): SolveResult {
  const { cutoff = Infinity, width = MOST_WIDTH, stop = () => false } = options;
  const { effort = DEFAULT_EFFORT, boundRounds } = options;
  const search = new Search(problem, { cutoff, width, stop, effort, boundRounds });
  const { best, bound } = search.run();
  const labels = search.labels;
  if (best !== null) return { ...graded(best, bound), solution: best, labels };
  if (bound === Infinity || cutoff < Infinity)
    return { status: 'infeasible', proven: bound === Infinity, bound, labels };
  const found = anyFitting(problem);
  if (found === null) return { status: 'infeasible', proven: false, bound, labels };
  const solution = localSearch(problem, found, stop);
  return { ...graded(solution, bound), solution, labels };
}

function graded(best: Solution, bound: number): { status: 'optimal' | 'stopped'; bound: number } {
  return bound >= best.cost ? { status: 'optimal', bound: best.cost } : { status: 'stopped', bound };
}

/** A placement that fits, whatever it costs. */
function anyFitting(problem: Problem): Solution | null {
  const free = problem.items.map((item): Item => ({
    ...item,
    cost: item.cost.map((cost) => (cost === Infinity ? Infinity : 0)),
    inputs: [],
  }));
  const limits = { cutoff: Infinity, width: 512, effort: RESCUE_EFFORT, boundRounds: undefined, stop: () => false };
  const { best } = new Search({ ...problem, items: free }, limits).run();
  return best === null ? null : { choice: best.choice, cost: costOf(problem, best.choice) };
}

/** Closes the places that are too small for an item even alone. */
function withoutHopeless(problem: Problem): Problem {
  const { capacities } = problem;
  return {
    ...problem,
    items: problem.items.map((item): Item => ({
      cost: item.cost.map((cost, p) =>
        capacities.some((capacity, r) => at(at(item.use, p), r) + at(at(item.peak, p), r) > capacity) ? Infinity : cost,
      ),
      use: item.use,
      peak: item.peak,
      sameAs: item.sameAs,
      inputs: item.inputs,
    })),
  };
}
