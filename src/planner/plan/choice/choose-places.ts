/** The choice of a place for every block: the solver over all the cases that an engine allows. */
import { at } from '../../../checked-access.js';
import { leastCost, solveExact } from '../../solve/exact.js';
import type { SolveOptions } from '../../solve/search.js';
import type { IntegerSolver } from '../../solve/program/integer-program.js';
import { INTEGER_TOLERANCE } from '../../solve/program/integer-program.js';
import { searchProgram } from '../../solve/program/program-search.js';
import { scarceResources } from '../../solve/resources.js';
import type { PlanContext } from '../request/prepare-plan.js';
import { type Placing, assemble } from './assemble.js';
import { answerOf, casesOf, type Answer, type Best, type Case } from './cases.js';

/** Costs closer than this fraction are equal. */
const SAME = 1e-9;
/** Devices that can be full, for which the walk is the better search: beyond them it finds too little. */
const WALK_DEVICES = 2;
/** Labels of the walk where a program can go on: about a fifth of a second. */
const BEFORE_PROGRAM = 150_000;

export interface ChooseOptions extends SolveOptions {
  /** For three and more devices that can be full, and for what the walk leaves open. */
  readonly integerSolver?: IntegerSolver | undefined;
  /** Times the usual effort of the integer solver. */
  readonly programEffort?: number;
}

/** The fastest placement over all the cases. */
export function choosePlaces(context: PlanContext, options: ChooseOptions = {}): Answer {
  const { integerSolver, ...given } = options;
  const walk =
    integerSolver === undefined ? given : { ...given, effort: Math.min(given.effort ?? Infinity, BEFORE_PROGRAM) };
  let best: Best | null = null;
  const cases = casesOf(context)
    .filter(({ bound }) => bound < Infinity)
    .toSorted((a, b) => bySpeed(a.placing, b.placing));
  const withoutAnchor = unanchoredSearch(context, walk);
  for (const each of cases) {
    if (integerSolver !== undefined && scarceResources(each.problem).length > WALK_DEVICES) {
      each.bound = leastCost(each.problem);
      continue;
    }
    const cutoff: number = Math.min(best?.cost ?? Infinity, options.cutoff ?? Infinity);
    const free = withoutAnchor(each.placing, cutoff);
    if (free !== null) {
      each.bound = free.of.bound;
      if (free.cost < cutoff) best = free;
      continue;
    }
    const result = solveExact(each.problem, { ...walk, cutoff });
    each.bound = result.bound;
    if (result.solution !== null) best = { of: each, ...result.solution };
  }
  if (integerSolver === undefined) return answerOf(context, cases, best, SAME);
  return answerOf(context, cases, throughPrograms(cases, best, integerSolver, options), 2 * INTEGER_TOLERANCE);
}

/** The cases that are open, the most promising first. */
function throughPrograms(
  cases: readonly Case[],
  known: Best | null,
  solver: IntegerSolver,
  { cutoff = Infinity, programEffort = 1, stop = () => false, ...walk }: ChooseOptions,
): Best | null {
  let best = known;
  for (const each of cases.toSorted((a, b) => a.bound - b.bound)) {
    const upper = Math.min(best?.cost ?? Infinity, cutoff);
    if (each.bound >= upper * (1 - INTEGER_TOLERANCE) || (best !== null && stop())) break;
    const result = searchProgram(each.problem, solver, {
      cutoff: upper,
      known: best?.of === each ? best : null,
      effort: programEffort,
      stop,
    });
    // Where crossings are no sums of two ends, the walk is all there is.
    const own = result ?? solveExact(each.problem, { ...walk, cutoff: upper, stop });
    each.bound = Math.max(each.bound, own.bound);
    if (own.solution !== null) best = { of: each, ...own.solution };
  }
  return best;
}

/**
 * Cases of one GPU and few places first: they take no time, and what they come to spares the others much of theirs. Of
 * several GPUs, the most first: fewer of them are seldom better.
 */
function bySpeed(a: Placing, b: Placing): number {
  const [mine, theirs] = [gpusOf(a), gpusOf(b)];
  if (Math.min(mine, theirs) <= 1) return mine - theirs || a.places.length - b.places.length;
  return theirs - mine || a.places.length - b.places.length;
}

function gpusOf({ places }: Placing): number {
  return new Set(places.flatMap((place) => (place.execution === 'host' ? [] : [place.gpu]))).size;
}

/**
 * Looks for the best of a case where nothing is held on the main GPU. It is that of the case, if something is there all the same; held
 * there, even a small block could be what does not fit. null where the case has to be searched itself.
 */
function unanchoredSearch(context: PlanContext, walk: SolveOptions): (placing: Placing, cutoff: number) => Best | null {
  const known = new Map<Placing, Best | null>();
  return ({ unanchored }, cutoff) => {
    if (unanchored === undefined) return null;
    const { placing, main } = unanchored;
    const before = known.get(placing);
    if (before !== undefined) return before;
    const problem = assemble(context.profile, placing, context.prices);
    const { solution, bound } = solveExact(problem, { ...walk, cutoff });
    const isThere = (p: number): boolean => {
      const place = at(placing.places, p);
      return place.execution === 'resident' && place.gpu === main;
    };
    const isAnswer = solution !== null && bound >= solution.cost && solution.choice.some(isThere);
    const best = isAnswer ? { of: { placing, problem, bound }, ...solution } : null;
    known.set(placing, best);
    return best;
  };
}
