/**
 * The placement whose busiest device is busy for the shortest time per call.
 *
 * From below: give every device a weight, all of them together 1. No placement's busiest device is busy for less than the
 * smallest weighted sum of the devices' times, which the solver finds within the same memory; weights that make that sum
 * large follow from which devices come out busy. From above: the time that a device may take is a resource like memory, and
 * the solver looks for the fastest placement within less and less of it.
 */
import { runsOn } from '../price/place.js';
import { solveExact, type SolveOptions } from '../solve/exact.js';
import type { Problem } from '../solve/problem.js';
import { assemble, type Placing } from './assemble.js';
import { casesOf, type Answer } from './choose-places.js';
import type { PlanContext } from './context.js';
import { tidyChoice } from './tidy-choice.js';

/** Bounds closer than this fraction mean nothing: predictions are not better. */
const CLOSE = 0.02;
const WEIGHT_ROUNDS = 12;
const STEPS = 8;
/** What one search may cost: bounds and latencies need not be the last word here. */
const FIRST = { effort: 600_000 } as const;
const BOUND = { effort: 30_000, width: 128, boundRounds: 25 } as const;
const STEP = { effort: 150_000, width: 512, boundRounds: 25 } as const;
/** Time as the solver counts it: like bytes, in whole numbers of about their size. */
const FULL = 2 ** 30;

/** A case of the engine, with the device that computes in each of its places. */
interface Case {
  readonly placing: Placing;
  readonly problem: Problem;
  readonly devices: readonly (number | 'cpu')[];
  readonly deviceOf: readonly number[];
}

/** `cost` and `bound` are milliseconds of the busiest device, prices of accuracy included; crossings go beside the work. */
export function shortestTurn(context: PlanContext, options: SolveOptions = {}): Answer {
  let best: { choice: readonly number[]; placing: Placing; cost: number } | null = null;
  let bound = Infinity;
  let certain = true;
  for (const placing of casesOf(context)) {
    const each = caseOf(context, placing);
    const fastest = solveExact(each.problem, { ...FIRST, ...options });
    if (fastest.status === 'infeasible') {
      certain &&= fastest.proven;
      continue;
    }
    const own = turnBound(each, options);
    bound = Math.min(bound, own);
    const { choice, cost } = shorten(each, fastest.solution.choice, own, options);
    if (best === null || cost < best.cost) best = { choice, placing, cost };
  }
  if (best === null) return { status: 'none', proven: certain, cost: Infinity };
  const { placing, cost } = best;
  return {
    status: certain && cost - bound <= CLOSE * cost ? 'optimal' : 'stopped',
    choice: tidyChoice(
      context.profile,
      best.choice.map((p) => placing.places[p]).filter((place) => place !== undefined),
      placing.allows,
    ),
    cost,
    bound: certain ? Math.min(bound, cost) : 0,
  };
}

function caseOf(context: PlanContext, placing: Placing): Case {
  const running = placing.places.map(runsOn);
  const devices = [...new Set(running)];
  const problem = assemble(context.profile, placing, context.prices);
  return { placing, problem, devices, deviceOf: running.map((device) => devices.indexOf(device)) };
}

/** Milliseconds per device. */
function busy({ problem, devices, deviceOf }: Case, choice: readonly number[]): number[] {
  const ms = devices.map(() => 0);
  for (const [i, p] of choice.entries()) {
    const device = deviceOf[p] ?? 0;
    ms[device] = (ms[device] ?? 0) + (problem.items[i]?.cost[p] ?? 0);
  }
  return ms;
}

function turnBound(each: Case, { stop = () => false }: SolveOptions): number {
  const { problem, devices, deviceOf } = each;
  // Weights at which all the work would take each device alone equally long are right for devices that are alike.
  const alone = devices.map((_, d) =>
    problem.items.reduce(
      (sum, item) => sum + Math.min(...item.cost.filter((_ms, p) => deviceOf[p] === d).map((ms) => Math.min(ms, 1e6))),
      0,
    ),
  );
  let weights = normalised(alone.map((ms) => 1 / Math.max(ms, 1e-9)));
  let bound = 0;
  for (let round = 1; round <= WEIGHT_ROUNDS && !stop(); round++) {
    const current = weights;
    const items = problem.items.map((item) => ({
      ...item,
      cost: item.cost.map((ms, p) => ms * (current[deviceOf[p] ?? 0] ?? 0)),
      inputs: [],
    }));
    const result = solveExact({ ...problem, items }, { ...BOUND, stop });
    if (result.status === 'infeasible') break;
    bound = Math.max(bound, result.bound);
    const ms = busy(each, result.solution.choice);
    const most = Math.max(...ms);
    if (most <= bound * (1 + CLOSE)) break;
    weights = normalised(weights.map((weight, d) => weight * Math.exp(((1 / Math.sqrt(round)) * (ms[d] ?? 0)) / most)));
  }
  return bound;
}

function normalised(weights: readonly number[]): number[] {
  const sum = weights.reduce((a, b) => a + b, 0);
  return weights.map((weight) => weight / sum);
}

/** Placements with ever shorter turns, from a first one on. */
function shorten(
  each: Case,
  first: readonly number[],
  bound: number,
  { stop = () => false }: SolveOptions,
): { choice: readonly number[]; cost: number } {
  let best = { choice: first, cost: Math.max(...busy(each, first)) };
  let low = bound;
  for (let step = 0; step < STEPS && best.cost - low > CLOSE * best.cost && !stop(); step++) {
    const limit = (best.cost + low) / 2;
    const result = solveExact(withBusyLimit(each, limit), { ...STEP, stop });
    if (result.status === 'infeasible') low = limit;
    else best = { choice: result.solution.choice, cost: Math.max(...busy(each, result.solution.choice)) };
  }
  return best;
}

/** The problem with one more resource for every device: its time, of which there is `busyMs`. */
function withBusyLimit({ problem, devices, deviceOf }: Case, busyMs: number): Problem {
  return {
    ...problem,
    capacities: [...problem.capacities, ...devices.map(() => FULL)],
    items: problem.items.map((item) => ({
      ...item,
      use: item.use.map((bytes, p) => {
        const ms = item.cost[p] ?? Infinity;
        const share = ms < Infinity ? Math.ceil((FULL * ms) / busyMs) : 0;
        return [...bytes, ...devices.map((_, d) => (deviceOf[p] === d ? share : 0))];
      }),
      peak: item.peak.map((bytes) => [...bytes, ...devices.map(() => 0)]),
    })),
  };
}
