/**
 * The placement whose busiest device is done first: the program of counts that minimises its time, then the same program
 * with a limit on it, halving between the bound and the best. A limit makes for smaller counts and better cuts, so that
 * what the first program leaves open is mostly settled so.
 */
import type { Problem, Solution } from '../problem.js';
import { countProgram } from './count-program.js';
import type { IntegerSolver } from './integer-program.js';
import { objectiveOf } from './objective.js';
import { INTEGER_TOLERANCE, searchProgram, type ProgramLimits, type ProgramResult } from './program-search.js';

const MOST_STEPS = 8;
/** Simplex iterations of a step. */
const STEP = 5000;
/** Limits closer to the bound than this are not tried. */
const CLOSE = 1e-4;

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
  return { solution: best, bound: Math.min(bound, best?.cost ?? Infinity) };
}
