/**
 * An integer solver keeps to its rows, and to what is cheapest, within so many milliseconds, whatever placements cost. So a problem that is
 * far from the usual goes to it in units of which the best takes some thousands at most: powers of two, with which nothing is rounded.
 */
import { dearest, scaled, type Answer, type Problem } from '../problem.js';
import type { IntegerSolver } from './integer-program.js';
import type { ProgramLimits } from './program-search.js';

const USUAL = 2 ** 12;
/** How often they may be halved or doubled from there and are usual still, and how often at all: beyond it factors are no numbers. */
const FEW_HALVINGS = 12;
const MOST_HALVINGS = 1000;

type Search = (problem: Problem, solver: IntegerSolver, limits: ProgramLimits) => Answer | null;

export function inUsualUnits(search: Search): Search {
  return (problem, solver, { cutoff, known = null, ...limits }) => {
    const most = Math.min(cutoff, known?.cost ?? Infinity, dearest(problem));
    const halvings = Math.max(-MOST_HALVINGS, Math.min(MOST_HALVINGS, Math.round(Math.log2(most / USUAL))));
    if (Math.abs(halvings) <= FEW_HALVINGS) return search(problem, solver, { cutoff, known, ...limits });
    const unit = 2 ** halvings;
    const own = known && { ...known, cost: known.cost / unit };
    const answer = search(scaled(problem, 1 / unit), solver, { ...limits, cutoff: cutoff / unit, known: own });
    if (answer === null) return null;
    const { solution, bound } = answer;
    return { solution: solution && { ...solution, cost: solution.cost * unit }, bound: bound * unit };
  };
}
