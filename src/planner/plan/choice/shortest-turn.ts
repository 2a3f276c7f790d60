/**
 * The placement whose busiest device is busy for the shortest time per call; of placements with that time, one whose single
 * call is fast.
 *
 * Without crossings, which go beside the work, only numbers matter: how many of each kind of blocks a device gets. That is a
 * program for an integer solver; without one, the walk looks for shorter and shorter times as long as it finds any.
 */
import { at } from '../../../checked-access.js';
import { solveExact } from '../../solve/exact.js';
import { costOf, type Problem } from '../../solve/problem.js';
import { busyMs, objectiveOf } from '../../solve/program/objective.js';
import { INTEGER_TOLERANCE, type IntegerSolver } from '../../solve/program/integer-program.js';
import { reorder } from '../../solve/program/reorder.js';
import { searchBottleneck } from '../../solve/program/search-bottleneck.js';
import { answerOf, casesOf, type Answer, type Best, type Case } from './cases.js';
import type { ChooseOptions } from './choose-places.js';
import type { PlanContext } from '../request/prepare-plan.js';

/** Times closer than this fraction are equal. */
const SAME = 1e-6;
/** Without an integer solver: each turn has to be this fraction shorter, as often as that goes; and may try so many labels. */
const STEPS = [0.1, 0.05, 0.02, 0.01] as const;
const MOST_OF_A_STEP = 20;
const WALK = { effort: 300_000, width: 2048 } as const;
const FIRST_WALK = { effort: 100_000 } as const;
/** Time as a resource: like bytes, in whole numbers of about their size. */
const FULL = 2 ** 30;

/** `cost` and `bound` are milliseconds of the busiest device, prices of accuracy included. */
export function shortestTurn(context: PlanContext, options: ChooseOptions = {}): Answer {
  const { integerSolver: solver, stop = () => false, cutoff = Infinity } = options;
  const cases = casesOf(context);
  for (const each of cases) each.bound = Math.max(each.bound, evenShare(each.problem));
  let best: Best | null = null;
  for (const each of cases.toSorted((a, b) => a.bound - b.bound)) {
    const upper: number = Math.min(best?.cost ?? Infinity, cutoff);
    if (each.bound >= upper * (1 - INTEGER_TOLERANCE) || (best !== null && stop())) continue;
    best = searched(each, upper, options) ?? best;
  }
  const quick = best === null || solver === undefined ? best : quickened(best, solver, stop);
  return answerOf(context, cases, quick, 4 * SAME);
}

/** The busiest of some devices does at least its share of what all items cost where they cost least. */
function evenShare({ items, homes }: Problem): number {
  return items.reduce((sum, { cost }) => sum + Math.min(...cost), 0) / new Set(homes).size;
}

/** A shorter turn than the cutoff; the case's bound is raised. */
function searched(each: Case, cutoff: number, options: ChooseOptions): Best | null {
  const { integerSolver, programEffort = 1, stop = () => false } = options;
  const result =
    integerSolver === undefined
      ? null
      : searchBottleneck(each.problem, integerSolver, { cutoff, effort: programEffort, stop });
  if (result === null) return walked(each, cutoff, stop);
  each.bound = Math.max(each.bound, result.bound);
  return result.solution === null ? null : { of: each, ...result.solution };
}

/** Shorter and shorter turns, with time as a resource, until none is found. */
function walked(each: Case, cutoff: number, stop: () => boolean): Best | null {
  const { problem } = each;
  const turnOf = (choice: readonly number[]): Best => ({
    of: each,
    choice,
    cost: objectiveOf(problem, 'busiest', choice),
  });
  let best: Best | null = null;
  if (cutoff === Infinity) {
    const { solution, bound } = solveExact(problem, { ...FIRST_WALK, stop });
    if (solution === null) {
      if (bound === Infinity) each.bound = Infinity;
      return null;
    }
    best = turnOf(solution.choice);
  }
  for (const step of STEPS) {
    for (let made = 0; made < MOST_OF_A_STEP; made++) {
      const limit: number = (best?.cost ?? cutoff) * (1 - step);
      if (stop() || limit <= each.bound) break;
      const { solution, bound } = solveExact(withBusyLimit(problem, limit), { ...WALK, stop });
      if (solution === null) {
        if (bound === Infinity) each.bound = Math.max(each.bound, limit * (1 - SAME));
        break;
      }
      best = turnOf(solution.choice);
    }
  }
  return best;
}

/** A placement with the same turn whose single call takes less time, crossings included. */
function quickened(turn: Best, solver: IntegerSolver, stop: () => boolean): Best {
  const { of, choice, cost: ms } = turn;
  const timed = withBusyLimit(of.problem, ms * (1 + SAME / 2));
  const cost = costOf(timed, choice);
  const better = reorder(timed, solver, { choice, cost }, { cutoff: cost, stop });
  const betterMs = Math.max(...busyMs(of.problem, better.choice).values());
  return betterMs <= ms * (1 + SAME) ? { of, choice: better.choice, cost: betterMs } : turn;
}

/** The problem with one more resource for every device: its time, of which there is `mostMs`. */
function withBusyLimit(problem: Problem, mostMs: number): Problem {
  const devices = [...new Set(problem.homes)];
  return {
    ...problem,
    capacities: [...problem.capacities, ...devices.map(() => FULL)],
    items: problem.items.map((item) => ({
      ...item,
      use: item.use.map((bytes, p) => {
        const ms = at(item.cost, p);
        const share = ms < Infinity && mostMs > 0 ? Math.ceil((FULL * ms) / mostMs) : 0;
        return [...bytes, ...devices.map((device) => (at(problem.homes, p) === device ? share : 0))];
      }),
      peak: item.peak.map((bytes) => [...bytes, ...devices.map(() => 0)]),
    })),
  };
}
