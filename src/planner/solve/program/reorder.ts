/** The best order for a placement: items go only where others of their kind are. */
import { at, found } from '../../../checked-access.js';
import { withPlaces, type Problem, type Solution } from '../problem.js';
import { ask, countProgram, type Question } from './count-program.js';
import type { IntegerSolver } from './integer-program.js';
import { groupsOf } from './runs.js';

/** Simplex iterations times columns: a tenth of a second. */
const WORK = 0.5e6;

/** The placement itself where nothing cheaper is found, or nothing below the cutoff. */
export function reorder(
  problem: Problem,
  solver: IntegerSolver,
  known: Solution,
  { cutoff, stop }: Pick<Question, 'cutoff' | 'stop'>,
): Solution {
  const places = new Map<number, ReadonlySet<number>>();
  for (const { items } of groupsOf(problem, 'kinds')) {
    const own = new Set(items.map((i) => at(known.choice, i)));
    for (const i of items) places.set(i, own);
  }
  const held = withPlaces(problem, (_, place, i) => found(places, i).has(place));
  const program = countProgram(held);
  if (program === null) return known;
  const start = known.cost < Infinity ? known : null;
  const { solution } = ask(problem, solver, program, { objective: 'sum', cutoff, work: WORK, start, stop });
  return solution !== null && solution.cost < known.cost ? solution : known;
}
