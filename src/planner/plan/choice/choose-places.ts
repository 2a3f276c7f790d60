/** The choice of a place for every block: the solver over all the cases that an engine allows. */
import { at } from '../../../checked-access.js';
import type { Place } from '../../price/place.js';
import { leastCost, solveExact, type SolveOptions } from '../../solve/exact.js';
import type { IntegerSolver } from '../../solve/program/integer-program.js';
import { INTEGER_TOLERANCE, searchProgram } from '../../solve/program/program-search.js';
import type { Problem, Solution } from '../../solve/problem.js';
import { scarceResources } from '../../solve/resources.js';
import { assemble, type Placing } from './assemble.js';
import { gpuShares, type PlanContext } from '../request/prepare-plan.js';
import { engineCases } from './engine-cases.js';
import { tidyChoice } from './tidy-choice.js';

export type Answer =
  | {
      /**
       * `optimal`: nothing that fits costs less (by more than two millionths, with an integer solver). `stopped`: nothing
       * that fits costs less than `bound`.
       */
      readonly status: 'optimal' | 'stopped';
      readonly choice: readonly Place[];
      /** Milliseconds per call, prices of accuracy included. */
      readonly cost: number;
      readonly bound: number;
    }
  | {
      readonly status: 'none';
      /** Whether nothing fits for certain; else the search ended before it found anything. */
      readonly proven: boolean;
      readonly cost: typeof Infinity;
    };

/** Costs closer than this fraction are equal. */
const SAME = 1e-9;
/** Devices that can be full, for which the walk is the better search: beyond them it finds too little. */
const WALK_DEVICES = 2;

/** What a case of the engine has come to. */
interface Case {
  readonly placing: Placing;
  readonly problem: Problem;
  /** Nothing that fits here costs less. */
  bound: number;
}

interface Best {
  readonly of: Case;
  readonly solution: Solution;
}

export interface ChooseOptions extends SolveOptions {
  /** For three and more devices that can be full, and for what the walk leaves open. */
  readonly integerSolver?: IntegerSolver | undefined;
  /** Times the usual effort of the integer solver. */
  readonly programEffort?: number;
}

/** The fastest placement over all the cases. */
export function choosePlaces(context: PlanContext, options: ChooseOptions = {}): Answer {
  const { integerSolver, ...walk } = options;

  let best: Best | null = null;
  const cases: Case[] = [];
  for (const placing of casesOf(context).toSorted(bySpeed)) {
    const problem = assemble(context.profile, placing, context.prices);
    if (exceedsEverything(problem)) continue;
    const cutoff: number = Math.min(best?.solution.cost ?? Infinity, options.cutoff ?? Infinity);
    const own: Case = { placing, problem, bound: -Infinity };
    cases.push(own);
    if (integerSolver !== undefined && scarceResources(problem).length > WALK_DEVICES) {
      own.bound = leastCost(problem);
      continue;
    }
    const result = solveExact(problem, { ...walk, cutoff });
    own.bound = result.bound;
    if (result.status !== 'infeasible') best = { of: own, solution: result.solution };
  }
  if (integerSolver !== undefined) best = throughPrograms(cases, best, integerSolver, options);
  const bound = Math.min(Infinity, ...cases.map((own) => own.bound));
  if (best === null) return { status: 'none', proven: bound === Infinity, cost: Infinity };
  const { of, solution } = best;
  const proven = bound >= solution.cost * (1 - (integerSolver === undefined ? SAME : 2 * INTEGER_TOLERANCE));
  const choice = solution.choice.map((p) => at(of.placing.places, p));
  return {
    status: proven ? 'optimal' : 'stopped',
    choice: tidyChoice(context.profile, choice, of.placing.allows),
    cost: solution.cost,
    bound: proven ? solution.cost : bound,
  };
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
    const upper = Math.min(best?.solution.cost ?? Infinity, cutoff);
    if (each.bound >= upper * (1 - INTEGER_TOLERANCE) || (best !== null && stop())) break;
    const result = searchProgram(each.problem, solver, {
      cutoff: upper,
      known: best?.of === each ? best.solution : null,
      effort: programEffort,
      stop,
    });
    // Where crossings are no sums of two ends, the walk is all there is.
    const own = result ?? solveExact(each.problem, { ...walk, cutoff: upper, stop });
    each.bound = Math.max(each.bound, own.bound);
    const solution = 'solution' in own ? own.solution : null;
    if (solution !== null) best = { of: each, solution };
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

/** Whether the items are more than all resources together: a proof that costs nothing. */
export function exceedsEverything({ items, capacities }: Problem): boolean {
  const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
  const least = items.map((item) => Math.min(...item.use.filter((_, p) => at(item.cost, p) < Infinity).map(sum)));
  return sum(least) > sum(capacities);
}

export function casesOf(context: PlanContext): Placing[] {
  const { budgets } = context;
  return engineCases({
    profile: context.profile,
    machine: context.machine,
    gpuBytes: new Map(gpuShares(context).map(({ id, roomBytes }) => [id, roomBytes])),
    ramBytes: budgets.ramBytes,
    diskBytes: budgets.diskBytes,
    pins: context.pins,
    schemes: context.schemes,
    allowsScheme: (block, scheme) => {
      const settled = context.settled.get(block.name);
      return settled === undefined
        ? scheme === null || (block.forms.has(scheme) && block.staysFloat !== true)
        : scheme === settled;
    },
  });
}
