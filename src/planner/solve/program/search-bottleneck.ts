/**
 * The placement whose busiest device is done first: the program of counts that minimises its time, then the same program
 * with a limit on it, halving between the bound and the best. A limit makes for smaller counts and better cuts, so that
 * what the first program leaves open is mostly settled so.
 */
import type { Problem, Solution } from '../problem.js';
import { countProgram } from './count-program.js';
import { INTEGER_TOLERANCE, type IntegerSolver } from './integer-program.js';
import { searchMixtures } from './mixtures.js';
import { objectiveOf } from './objective.js';
import { searchProgram, type ProgramLimits, type ProgramResult } from './program-search.js';

const MOST_STEPS = 8;
/** Simplex iterations of a step. */
const STEP = 5000;
/** Limits closer to the bound than this are not tried. */
const CLOSE = 1e-4;
/** Of gaps, as a fraction of the time: what mixtures are sought for. */
const WIDE = 2e-3;

/** Null where the problem is no program of counts. */
export function searchBottleneck(problem: Problem, solver: IntegerSolver, limits: ProgramLimits): ProgramResult | null {
  const first = searchProgram(problem, solver, { ...limits, objective: 'busiest' });
  if (first === null) return null;
  let best: Solution | null = first.solution;
  let { bound } = first;
  let share = 0.5;
  for (let step = 0; step < MOST_STEPS; step++) {
    const high: number = Math.min(limits.cutoff, best?.cost ?? limits.known?.cost ?? Infinity);
    const most = bound + share * (high - bound);
    if (high === Infinity || most - bound < CLOSE * high || limits.stop()) break;
    const program = countProgram(problem, { objective: 'busiest', mostMs: most });
    if (program === null) break;
    const answer = solver(program.program, {
      cutoff: most,
      iterations: STEP * (limits.effort ?? 1),
      stop: limits.stop,
    });
    const choice = answer.values === null ? null : program.choiceOf(answer.values);
    const cost = choice === null ? Infinity : objectiveOf(problem, 'busiest', choice);
    if (choice !== null && cost < high) best = { choice, cost };
    // What exceeds the limit costs more than it.
    const low = Math.min(most, answer.bound) * (1 - INTEGER_TOLERANCE);
    share = cost < high || low >= most * (1 - 2 * INTEGER_TOLERANCE) ? 0.5 : share / 2;
    bound = Math.max(bound, low);
  }
  const known = best ?? limits.known ?? null;
  if (known !== null && bound < known.cost * (1 - WIDE) && !limits.stop()) {
    const mixed = searchMixtures(problem, solver, { objective: 'busiest', known, stop: limits.stop });
    bound = Math.max(bound, mixed?.bound ?? bound);
    best = mixed?.solution ?? best;
  }
  return { solution: best, bound: Math.min(bound, best?.cost ?? Infinity) };
}
