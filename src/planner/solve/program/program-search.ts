/**
 * A placement problem through its program of counts, for which an integer solver is given.
 *
 * First come smaller programs that leave crossings out (`Order` in `runs.ts`): they have the bound, and how many of each kind
 * go where, which a search in the whole program puts in order. Then the whole program, from the best so far, and the same
 * program pair of devices by pair of devices, all others being held. Limits are counts of work, so the same problem gets
 * the same answer on every machine.
 */
import { at } from '../../../checked-access.js';
import { costOf, withPlaces, type Problem, type Solution } from '../problem.js';
import { scarceResources } from '../resources.js';
import { ask, countProgram, type CountProgram, type Question } from './count-program.js';
import { INTEGER_TOLERANCE } from './integer-program.js';
import { searchMixtures } from './mixtures.js';
import { busyMs } from './objective.js';
import { reorder } from './reorder.js';
import type { Order } from './runs.js';
import { inUsualUnits } from './usual-units.js';

/** Simplex iterations times columns: five million take about a second. */
const MIXED = 8e6;
const MIXED_IF_WIDE = 2e6;
const STRETCHES = 16e6;
const WHOLE = 8e6;
const PAIR = 0.2e6;
/** Of more than two memories that can be full, gaps that are worth no more work, and no more pairs: fractions of the cost. */
const CLOSE = 3e-4;
const CLOSE_FOR_PAIRS = 1e-3;
/** A gap that more of the first program hardly narrows, and mixtures do. */
const WIDE = 3e-2;
/** Rounds of pairs, each of which has to gain this fraction for the next. */
const MOST_ROUNDS = 3;
const LEAST_GAIN = 1e-4;

/** What to begin with is the best by default. */
type Effort = Pick<Question, 'work' | 'wide' | 'restarts' | 'start'>;

/** Null where the problem is no program of counts. */
export const searchProgram = inUsualUnits((problem, solver, given) => {
  const { objective = 'sum', cutoff, known = null, effort = 1, stop } = given;
  const whole = countProgram(problem, { objective });
  if (whole === null) return null;
  const isSum = objective === 'sum';
  const isLarge = scarceResources(problem).length > 2;
  let best = known !== null && known.cost <= cutoff ? known : null;
  let bound = -Infinity;

  /** What has to be undercut. */
  const least = (): number => Math.min(cutoff, best?.cost ?? Infinity) * (1 - INTEGER_TOLERANCE);
  const isOver = (close = CLOSE): boolean =>
    bound >= least() * (1 - (isLarge && isSum ? close / effort : INTEGER_TOLERANCE)) || (best !== null && stop());
  const keep = (solution: Solution | null): void => {
    if (solution !== null && solution.cost < least()) best = solution;
  };

  const answer = (held: Problem, program: CountProgram, { start = best, ...how }: Effort) => {
    const fitting = start !== null && costOf(held, start.choice) < Infinity ? start : null;
    return ask(problem, solver, program, { ...how, objective, start: fitting, cutoff: least(), stop });
  };

  const solve = (work: number): void => {
    if (isOver()) return;
    const own = answer(problem, whole, { work: work * effort });
    bound = Math.max(bound, own.bound);
    keep(own.solution);
  };

  /** The program with less of the chain's order; null where nothing of it can be left out. */
  const relaxation = (order: Order): CountProgram | null => {
    const program = countProgram(problem, { objective, order });
    return program !== null && program.program.columns.length < whole.program.columns.length ? program : null;
  };

  /** Takes a relaxation's bound, and its placement in a better order; returns whether it was solved to the end. */
  const relax = (program: CountProgram, { work, ...how }: Effort): boolean => {
    if (isOver()) return true;
    const own = answer(problem, program, { work: work * effort, ...how });
    bound = Math.max(bound, own.bound);
    // What costs no more in its own order than without any is in the best.
    const isOrdered = (own.solution?.cost ?? Infinity) <= own.value * (1 + INTEGER_TOLERANCE);
    const limits = { cutoff: least(), stop };
    if (own.solution !== null) keep(isOrdered ? own.solution : reorder(problem, solver, own.solution, limits));
    return own.bound >= own.value * (1 - 2 * INTEGER_TOLERANCE);
  };

  /** What pairs of devices held when they were searched to the end: where all else lies makes no difference to them. */
  const settled = new Set<string>();
  const searchPair = (pair: readonly number[], { choice, cost }: Solution, work: number): void => {
    const busy = busyMs(problem, choice);
    if (!isSum && !pair.some((device) => busy.get(device) === cost)) return;
    const isFree = (place: number): boolean => pair.includes(at(problem.homes, place));
    const own = choice.map((place) => (isFree(place) ? place : -1)).join();
    if (settled.has(own)) return;
    const held = withPlaces(problem, (_, place, i) => {
      const here = at(choice, i);
      return isFree(here) ? isFree(place) : place === here;
    });
    const program = countProgram(held, { objective });
    if (program === null) return;
    const { solution, value, bound: proven } = answer(held, program, { work });
    if (proven >= value * (1 - 2 * INTEGER_TOLERANCE)) settled.add(own);
    keep(solution);
  };
  const searchPairs = (work = PAIR): void => {
    const devices = [...new Set(problem.homes)];
    const pairs = devices.flatMap((a, k) => devices.slice(k + 1).map((b) => [a, b]));
    for (let round = 0; round < MOST_ROUNDS; round++) {
      const before = best?.cost ?? Infinity;
      for (const pair of pairs) if (best !== null && !isOver(CLOSE_FOR_PAIRS)) searchPair(pair, best, work);
      if (best !== null && isSum && !isOver(CLOSE_FOR_PAIRS))
        keep(reorder(problem, solver, best, { cutoff: least(), stop }));
      if (best === null || best.cost > before * (1 - LEAST_GAIN)) break;
    }
  };

  const mix = (): void => {
    if (best === null || !isSum || isOver()) return;
    const mixed = searchMixtures(problem, solver, { objective: 'sum', known: best, stop });
    bound = Math.max(bound, mixed?.bound ?? bound);
    keep(mixed?.solution ?? null);
  };

  const stretches = relaxation('stretches');
  const mixed = isLarge ? relaxation('mixed') : null;
  const isSettled = mixed !== null && relax(mixed, { work: MIXED, wide: { gap: WIDE, work: MIXED_IF_WIDE } });
  const isOpen = isLarge && !isSettled;
  if (isLarge) {
    if (best === null) solve(WHOLE / 2);
    searchPairs();
  }
  if (isOpen) {
    mix();
    searchPairs(4 * PAIR);
  }
  // A smaller program that is solved to its end leaves open what order costs, which the whole one alone can tell.
  const isRelaxed = stretches !== null && !(isOpen && isSum) && relax(stretches, { work: STRETCHES, restarts: false });
  if (stretches === null || !isLarge || isRelaxed) solve(WHOLE);
  if (isLarge && (isSettled || !isSum)) searchPairs();
  return { solution: best === known ? null : best, bound: Math.min(least(), bound) };
});
