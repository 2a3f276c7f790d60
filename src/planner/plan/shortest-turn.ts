/**
 * The placement whose busiest device is busy for the shortest time per call; of placements with that turn, one whose single
 * call is fast.
 *
 * Without crossings, which go beside the work, only numbers matter: how many of each kind of blocks a device gets.
 * `solve/turn` finds them with a bound, an integer solver goes on where one is given.
 */
import { runsOn } from '../price/place.js';
import { DEFAULT_EFFORT, solveExact } from '../solve/exact.js';
import { countProgram } from '../solve/integer/count-program.js';
import type { IntegerSolver } from '../solve/integer/integer-program.js';
import { INTEGER_TOLERANCE } from '../solve/integer/solve-counts.js';
import { polished } from '../solve/polish.js';
import { costOf, type Problem } from '../solve/problem.js';
import { choiceOf } from '../solve/turn/choice-of.js';
import { SAME_TURN, shortest } from '../solve/turn/shortest.js';
import { worksOf } from '../solve/turn/work.js';
import { assemble, type Placing } from './assemble.js';
import { casesOf, type Answer, type ChooseOptions } from './choose-places.js';
import type { PlanContext } from './context.js';
import { tidyChoice } from './tidy-choice.js';

/** Numbers looked at, for all cases of the engine: about a second. A case that comes late gets its part in any event. */
const DEFAULT_WORK = 2e8;
const LATE_PART = 0.1;
/** What a search for anything that fits may cost where this one found nothing. */
const RESCUE = { effort: 100_000, boundRounds: 25 } as const;
/** Gaps wider than this are looked into item by item where there are few, so that the search comes to an end. */
const WIDE_GAP = 0.01;
const FEW_ITEMS = 16;
const CLOSING = { effort: 30_000, width: 512, boundRounds: 25 } as const;
const MOST_CLOSING_STEPS = 6;
/** Time as a resource: like bytes, in whole numbers of about their size. */
const FULL = 2 ** 30;

/** A case of the engine. */
interface Case {
  readonly placing: Placing;
  readonly problem: Problem;
  /** Per place, the device that computes. */
  readonly deviceOf: readonly number[];
  /** No placement's busiest device is busy for less. */
  bound: number;
}

interface Turn {
  readonly of: Case;
  readonly choice: readonly number[];
  readonly ms: number;
}

/** `cost` and `bound` are milliseconds of the busiest device, prices of accuracy included. */
export function shortestTurn(context: PlanContext, options: ChooseOptions = {}): Answer {
  const { stop = () => false, effort = DEFAULT_EFFORT, cutoff = Infinity, integerSolver } = options;
  const budget = {
    left: (DEFAULT_WORK * effort) / DEFAULT_EFFORT,
    least: (LATE_PART * DEFAULT_WORK * effort) / DEFAULT_EFFORT,
  };
  const cases = casesOf(context).map((placing) => caseOf(context, placing));
  let best: Turn | null = null;
  for (const each of cases) {
    const upper: number = Math.min(best?.ms ?? Infinity, cutoff);
    best = searched(each, { cutoff: upper, budget, stop }) ?? best;
  }
  if (best !== null) best = closed(cases, best, stop);
  if (integerSolver !== undefined) best = throughCounts(cases, best, integerSolver, { cutoff, stop });
  const bound = Math.min(Infinity, ...cases.map((each) => each.bound));
  if (best === null) return { status: 'none', proven: bound === Infinity, cost: Infinity };
  const { placing } = best.of;
  const { choice, ms } = quickened(best, stop);
  const places = choice.map((p) => placing.places[p]).filter((place) => place !== undefined);
  const isProven = bound >= ms * (1 - 4 * SAME_TURN);
  return {
    status: isProven ? 'optimal' : 'stopped',
    choice: tidyChoice(context.profile, places, placing.allows),
    cost: ms,
    bound: isProven ? ms : bound,
  };
}

function caseOf(context: PlanContext, placing: Placing): Case {
  const running = placing.places.map(runsOn);
  const devices = [...new Set(running)];
  const problem = assemble(context.profile, placing, context.prices);
  return { placing, problem, deviceOf: running.map((device) => devices.indexOf(device)), bound: 0 };
}

/** Work that a search may take; it takes it out of what is left. */
interface Budget {
  left: number;
  readonly least: number;
}

interface Limits {
  readonly cutoff: number;
  readonly budget: Budget;
  readonly stop: () => boolean;
}

/** A shorter turn than the cutoff, and the bound of the case. */
function searched(each: Case, { cutoff, budget, stop }: Limits): Turn | null {
  let best: Turn | null = null;
  let bound = Infinity;
  for (const task of worksOf(each.problem)) {
    const upper: number = Math.min(best?.ms ?? Infinity, cutoff);
    const own = shortest(task, { cutoff: upper, work: Math.max(budget.least, budget.left), stop });
    budget.left -= own.work;
    bound = Math.min(bound, own.bound);
    if (own.assignment !== null) best = shorter(turnOf(each, choiceOf(task, own.assignment.counts)), best, upper);
  }
  if (best === null && bound < Infinity && cutoff === Infinity) {
    const found = solveExact(each.problem, { ...RESCUE, stop });
    if (found.status !== 'infeasible') best = turnOf(each, found.solution.choice);
    else if (found.proven) bound = Infinity;
  }
  each.bound = bound;
  return best;
}

function shorter(turn: Turn, best: Turn | null, cutoff: number): Turn | null {
  return turn.ms < cutoff ? turn : best;
}

/** Where the gap is wide and items are few: shorter and shorter turns, with time as a resource, until there is none or it takes too long. */
function closed(cases: readonly Case[], known: Turn, stop: () => boolean): Turn {
  let best = known;
  for (const each of cases.filter(({ problem }) => problem.items.length <= FEW_ITEMS)) {
    for (let step = 0; step < MOST_CLOSING_STEPS && each.bound < best.ms * (1 - WIDE_GAP) && !stop(); step++) {
      const limit = best.ms * (1 - SAME_TURN);
      const result = solveExact(withBusyLimit(each, limit), { ...CLOSING, stop });
      if (result.status === 'infeasible') {
        if (result.proven) each.bound = limit * (1 - SAME_TURN);
        break;
      }
      best = shorter(turnOf(each, result.solution.choice), best, best.ms) ?? best;
    }
  }
  return best;
}

/** The cases that are open as integer programs, the most promising first. */
function throughCounts(
  cases: readonly Case[],
  known: Turn | null,
  solver: IntegerSolver,
  { cutoff, stop }: Pick<Limits, 'cutoff' | 'stop'>,
): Turn | null {
  let best = known;
  for (const each of cases.toSorted((a, b) => a.bound - b.bound)) {
    const upper = Math.min(best?.ms ?? Infinity, cutoff) * (1 - INTEGER_TOLERANCE);
    if (stop() || each.bound >= upper) break;
    const counts = countProgram(each.problem, 'busiest');
    if (counts === null) continue;
    const { values, bound } = solver(counts.program, { cutoff: upper, stop });
    each.bound = Math.max(each.bound, Math.min(upper, bound * (1 - INTEGER_TOLERANCE)));
    if (values !== null) best = shorter(turnOf(each, counts.choiceOf(values)), best, upper);
  }
  return best;
}

/** Infinity where the choice does not fit. */
function turnOf(each: Case, choice: readonly number[]): Turn {
  const fits = costOf(each.problem, choice) < Infinity;
  return { of: each, choice, ms: fits ? Math.max(...busy(each, choice)) : Infinity };
}

/** Milliseconds per device. */
function busy({ problem, deviceOf }: Case, choice: readonly number[]): number[] {
  const ms: number[] = deviceOf.map(() => 0);
  for (const [i, p] of choice.entries()) {
    const device = deviceOf[p] ?? 0;
    ms[device] = (ms[device] ?? 0) + (problem.items[i]?.cost[p] ?? 0);
  }
  return ms;
}

/** A placement with the same turn whose single call takes less time, crossings included. */
function quickened(turn: Turn, stop: () => boolean): Turn {
  const { of, choice, ms } = turn;
  const timed = withBusyLimit(of, ms * (1 + SAME_TURN / 2));
  const better = turnOf(of, polished(timed, { choice, cost: costOf(timed, choice) }, stop).choice);
  return better.ms <= ms * (1 + SAME_TURN) ? better : turn;
}

/** The problem with one more resource for every device: its time, of which there is `busyMs`. */
function withBusyLimit({ problem, deviceOf }: Case, busyMs: number): Problem {
  const devices = [...new Set(deviceOf)];
  return {
    ...problem,
    capacities: [...problem.capacities, ...devices.map(() => FULL)],
    items: problem.items.map((item) => ({
      ...item,
      use: item.use.map((bytes, p) => {
        const ms = item.cost[p] ?? Infinity;
        const share = ms < Infinity && busyMs > 0 ? Math.ceil((FULL * ms) / busyMs) : 0;
        return [...bytes, ...devices.map((d) => (deviceOf[p] === d ? share : 0))];
      }),
      peak: item.peak.map((bytes) => [...bytes, ...devices.map(() => 0)]),
    })),
  };
}
