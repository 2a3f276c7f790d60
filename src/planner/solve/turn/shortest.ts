/** The assignment of work to devices whose busiest device is done first. */
import { dive } from './dive.js';
import { FillPlans } from './fill-plans.js';
import { fluidShare } from './fluid-share.js';
import type { Simplex } from './linear-program.js';
import type { Assignment } from './load.js';
import { everything, type Prices } from './rest.js';
import type { Work } from './work.js';

export interface Shortest {
  readonly assignment: Assignment | null;
  /** No assignment makes the busiest device busy for less; Infinity where there is none at all. */
  readonly bound: number;
  /** Numbers looked at. */
  readonly work: number;
}

export interface ShortestLimits {
  /** Only shorter turns are of interest. */
  readonly cutoff: number;
  /** Numbers that may be looked at. */
  readonly work: number;
  /** Asked now and then; true ends the search once there is an answer. */
  readonly stop: () => boolean;
}

/** Turns closer than this fraction are equal. */
export const SAME_TURN = 1e-6;
/** Mixtures this close to their bound are not told apart. */
const CLOSE = 0.001;
/** Gaps narrower than this are not worth more than a part of the work. */
const FINE = 0.003;
const FINE_PART = 0.6;
/** Where a bound is this close to the best turn, the next step is a proof that there is no shorter one, or such a turn. */
const NEAR = 1e-4;
/** Mixtures of plans are at their best after a few dozen rounds of prices. */
const THOROUGH = { rounds: 60, nodes: 2000 } as const;

/**
 * Halves the gap again and again: within a turn in the middle of it, either no mixture of plans does all the work, which is a
 * better bound, or a dive may find a better assignment.
 */
export function shortest(task: Work, { cutoff, work, stop }: ShortestLimits): Shortest {
  const plans = new FillPlans(task);
  const all = everything(task);
  const most = turnAlone(task);
  const least = most === Infinity ? null : fluidBound(task, plans.simplex, most);
  if (least === null) return { assignment: null, bound: Infinity, work: plans.simplex.work };
  let best: Assignment | null = null;
  let prices: Prices | null = null;
  // Within `bound` nothing does the work, within `open` a mixture does; within `low` no dive did.
  let bound = least;
  let open = Infinity;
  let low = bound;
  let factor = 1 + CLOSE;
  // Most often a cutoff is what nothing here keeps to.
  let isFirst = cutoff < Infinity;
  const needsOne = (found: Assignment | null): boolean => found === null && cutoff === Infinity;
  while (plans.simplex.work < work && (!stop() || needsOne(best))) {
    const high: number = Math.min(best?.busiestMs ?? Infinity, cutoff);
    const target = high * (1 - SAME_TURN);
    if (bound >= target) break;
    if (bound >= high * (1 - FINE) && plans.simplex.work >= work * FINE_PART) break;
    const isSettled = open <= bound * (1 + CLOSE);
    const from = isSettled ? Math.max(low, open < target ? open : bound) : bound;
    const to = isSettled ? high : Math.min(open, high);
    if (from >= target) break;
    const middle = to < Infinity ? Math.sqrt(from * to) : from * factor;
    const ms: number = Math.min(most, isFirst || from >= high * (1 - NEAR) ? target : middle);
    isFirst = false;
    factor = 1 + 2 * (factor - 1);
    const shares = plans.shares(ms, all, prices, THOROUGH);
    prices = shares.prices;
    if (shares.impossible) {
      // Whatever fits keeps to `most`.
      bound = ms < most ? ms : Infinity;
      low = Math.max(low, ms);
      continue;
    }
    open = Math.min(open, ms);
    if (ms < low) continue;
    const found = dive(task, plans, ms, shares);
    if (found !== null && found.busiestMs < high) best = found;
    if (found === null || found.busiestMs > ms) low = ms;
    if (ms === most) break;
  }
  return { assignment: best, bound: Math.min(bound, best?.busiestMs ?? Infinity), work: plans.simplex.work };
}

/** Whether it is proven that there is no room for all the work, however long it takes. */
export function isTooMuch(task: Work): boolean {
  const most = turnAlone(task);
  if (most === Infinity) return true;
  const plans = new FillPlans(task);
  return (
    fluidBound(task, plans.simplex, most) === null || plans.shares(most, everything(task), null, THOROUGH).impossible
  );
}

/** A turn that every assignment keeps to; Infinity where a kind of items fits nowhere. */
function turnAlone({ kinds, devices }: Work): number {
  let sum = 0;
  for (const [k, { members }] of kinds.entries()) {
    const ms = devices.flatMap(({ options }) => options.filter(({ kind }) => kind === k).map((option) => option.ms));
    if (ms.length === 0) return Infinity;
    sum += members.length * Math.max(...ms);
  }
  return sum;
}

/** No turn is shorter, even if items could be divided; null where nothing fits at all. */
function fluidBound(task: Work, simplex: Simplex, most: number): number | null {
  const all = everything(task);
  const fits = (ms: number): boolean => fluidShare(task, all, ms, simplex).bound >= 1 - SAME_TURN;
  if (!fits(most)) return null;
  let low = 0;
  let high = most;
  while (high > 1e-6 && fits(high / 4)) high /= 4;
  low = high / 4;
  while (high - low > CLOSE * high) {
    const middle = (low + high) / 2;
    if (fits(middle)) high = middle;
    else low = middle;
  }
  return low;
}
