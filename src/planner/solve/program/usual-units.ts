/**
 * An integer solver keeps to its rows, and to what is cheapest, within so many milliseconds, whatever placements cost (findings/highs-small-costs.sh). So a problem that is
 * far from the usual goes to it in units of which the best takes some thousands at most: powers of two, with which nothing is rounded.
 */
import { dearest, scaled, type Answer, type Problem, type Solution } from '../problem.js';
import type { Question } from './count-program.js';
import type { IntegerSolver } from './integer-program.js';
import type { Objective } from './objective.js';

const USUAL = 2 ** 12;
/** Less than half as many doublings from there are usual still. */
const DOUBLINGS = 24;

export interface ProgramLimits extends Pick<Question, 'cutoff' | 'stop'> {
  readonly objective?: Objective;
  /** A placement to begin with. */
  readonly known?: Solution | null;
  /** Times the usual effort. */
  readonly effort?: number;
}

type Search = (problem: Problem, solver: IntegerSolver, limits: ProgramLimits) => Answer | null;

export function inUsualUnits(search: Search): Search {
  return (problem, solver, { cutoff, known = null, ...limits }) => {
    const most = Math.min(cutoff, known?.cost ?? Infinity, dearest(problem));
    const doublings = DOUBLINGS * Math.round(Math.log2(most / USUAL) / DOUBLINGS);
    const unit = most > 0 ? 2 ** doublings : 1;
    const own = known && { ...known, cost: known.cost / unit };
    const answer = search(scaled(problem, 1 / unit), solver, { ...limits, cutoff: cutoff / unit, known: own });
    const solution = answer?.solution && { ...answer.solution, cost: answer.solution.cost * unit };
    return answer && { solution: solution ?? null, bound: answer.bound * unit };
  };
}
