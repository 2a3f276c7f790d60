import { at } from '../../../checked-access.js';
import { solveExact, type SolveOptions } from '../../solve/exact.js';
import type { PlanContext } from '../request/prepare-plan.js';
import { assemble, type Placing } from './assemble.js';
import type { Best } from './cases.js';

/**
 * Looks for the best of a case where nothing is held on the main GPU. It is that of the case, if something is there all the same; held
 * there, even a small block could be what does not fit. null where the case has to be searched itself.
 */
export function unanchoredSearch(
  context: PlanContext,
  walk: SolveOptions,
): (placing: Placing, cutoff: number) => Best | null {
  const known = new Map<Placing, Best | null>();
  return ({ unanchored }, cutoff) => {
    if (unanchored === undefined) return null;
    const { placing, main } = unanchored;
    const before = known.get(placing);
    if (before !== undefined) return before;
    const problem = assemble(context.profile, placing, context.prices);
    const result = solveExact(problem, { ...walk, cutoff });
    const isThere = (p: number): boolean => {
      const place = at(placing.places, p);
      return place.execution === 'resident' && place.gpu === main;
    };
    const isAnswer = result.status === 'optimal' && result.solution.choice.some(isThere);
    const best = isAnswer ? { of: { placing, problem, bound: result.bound }, ...result.solution } : null;
    known.set(placing, best);
    return best;
  };
}
