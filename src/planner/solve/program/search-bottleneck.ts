/**
 * The placement whose busiest device is done first: the program of counts that minimises its time, then the same program
 * with a limit on it, halving between the bound and the best. A limit makes for smaller counts and better cuts, so that
 * what the first program leaves open is mostly settled so.
 */
import { ask, countProgram } from './count-program.js';
import { INTEGER_TOLERANCE } from './integer-program.js';
import { searchMixtures } from './mixtures.js';
import { searchProgram } from './program-search.js';
import { inUsualUnits } from './usual-units.js';

const MOST_STEPS = 8;
/** Simplex iterations of a step. */
const STEP = 5000;
/** Limits closer to the bound than this are not tried. */
const CLOSE = 1e-4;
/** Of gaps, as a fraction of the time: what mixtures are sought for. */
const WIDE = 2e-3;

/** Null where the problem is no program of counts. */
export const searchBottleneck = inUsualUnits((problem, solver, limits) => {
  const { cutoff, effort = 1, stop } = limits;
  const first = searchProgram(problem, solver, { ...limits, objective: 'busiest' });
  if (first === null) return null;
  let { solution: best, bound } = first;
  let share = 0.5;
  for (let step = 0; step < MOST_STEPS; step++) {
    const high = best?.cost ?? cutoff;
    const most = bound + share * (high - bound);
    if (high === Infinity || most - bound < CLOSE * high || stop()) break;
    const counts = countProgram(problem, { objective: 'busiest', mostMs: most });
    if (counts === null) break;
    const work = STEP * effort * counts.program.columns.length;
    const answer = ask(problem, solver, counts, { objective: 'busiest', cutoff: most, work, stop });
    const cost = answer.solution?.cost ?? Infinity;
    if (cost < high) best = answer.solution;
    // What exceeds the limit costs more than it.
    const low = Math.min(most * (1 - INTEGER_TOLERANCE), answer.bound);
    share = cost < high || low >= most * (1 - 2 * INTEGER_TOLERANCE) ? 0.5 : share / 2;
    bound = Math.max(bound, low);
  }
  if (best !== null && bound < best.cost * (1 - WIDE) && !stop()) {
    const mixed = searchMixtures(problem, solver, { objective: 'busiest', known: best, stop });
    bound = Math.max(bound, mixed?.bound ?? bound);
    best = mixed?.solution ?? best;
  }
  return { solution: best, bound: Math.min(bound, best?.cost ?? Infinity) };
});
