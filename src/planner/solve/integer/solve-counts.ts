/** A placement problem through its program of counts, for which an integer solver is given. */
import { costOf, type Problem, type Solution } from '../problem.js';
import { countProgram } from './count-program.js';
import type { IntegerSolver } from './integer-program.js';

/**
 * As a fraction of a cost: what counts as cheaper here, and what a bound of an integer solver is lowered by. It keeps to its
 * rows within 1e-7 MiB and milliseconds, so its bounds are off by less than a thousandth of this.
 */
export const INTEGER_TOLERANCE = 1e-6;

export interface CountsResult {
  /** A placement that fits to the byte and costs less than the cutoff by more than the tolerance, if one was found. */
  readonly solution: Solution | null;
  /** Nothing that fits costs less. */
  readonly bound: number;
}

/** Null where the problem is no program of counts. */
export function solveCounts(
  problem: Problem,
  solver: IntegerSolver,
  { cutoff, stop }: { readonly cutoff: number; readonly stop: () => boolean },
): CountsResult | null {
  const counts = countProgram(problem);
  if (counts === null) return null;
  const least = cutoff * (1 - INTEGER_TOLERANCE);
  const { values, bound } = solver(counts.program, { cutoff: least, stop });
  const choice = values === null ? null : counts.choiceOf(values);
  const cost = choice === null ? Infinity : costOf(problem, choice);
  return {
    solution: choice === null || cost >= least ? null : { choice, cost },
    bound: bound >= least ? least : bound * (1 - INTEGER_TOLERANCE),
  };
}
