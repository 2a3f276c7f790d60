/**
 * What placements cost at least, as mixtures: every device mixes loads that fit, until all items are taken (Dantzig and Wolfe). A
 * linear program of the loads known so far says what items are worth, and each device whether another load is worth more. Few
 * large items fill many unlike devices badly, which counts of bytes do not know.
 */
import { at } from '../../../checked-access.js';
import { ANY, peaksWithin, rangesOf, wholeBox, type Range } from '../boxes.js';
import { layOut, type Chain } from '../chain.js';
import { dualsOf } from '../decomposition.js';
import { realAt } from '../number-at.js';
import { bestBound } from '../prices.js';
import type { Answer, Problem, Solution } from '../problem.js';
import { ask, countProgram, type Question } from './count-program.js';
import { INTEGER_TOLERANCE, type IntegerSolver } from './integer-program.js';
import { bestLoad } from './loads.js';
import { masterProgram, type MasterProgram, type Mixture } from './master-program.js';
import { countedBy } from './objective.js';

const MOST_ROUNDS = 100;
/** Programs between loads, each from what the one before found, and the simplex iterations times columns of each. */
const MOST_PASSES = 2;
const BETWEEN = 12e6;
/** Peaks of the device with the largest one that are taken as one, as a fraction of its capacity. */
const SAME_PEAK = 1 / 256;
/** As a fraction of the cost: what a round has to promise. */
const CLOSE = 1e-5;
/** What items are worth where loads are sought: half by the mixture, half as the best bound has it. */
const SMOOTH = 0.5;
/** What is less in a mixture is not in it. */
const LEAST_SHARE = 1e-6;

/** Placements whose largest peak on one of the resources is within a range. */
interface Part {
  readonly number: number;
  readonly range: Range;
  bound: number;
  /** What the best mixture costs. */
  value: number;
  duals: Float64Array;
  /** Those with the bound. */
  best: Float64Array;
  smooth: number;
  isDone: boolean;
}

/** A placement to begin with is needed. */
type MixtureLimits = Pick<Question, 'objective' | 'stop'> & { readonly known: Solution };

/** Null where the solver tells no duals. */
export function searchMixtures(problem: Problem, solver: IntegerSolver, limits: MixtureLimits): Answer | null {
  const { objective, stop } = limits;
  let { known } = limits;
  const counted = countedBy(objective, problem);
  const chain = layOut(counted);
  const master = masterProgram(counted, chain, { objective, whole: 2 * known.cost });
  const { prices } = bestBound(chain, wholeBox(chain), () => known.cost);
  const { widest, parts } = partsOf(chain, master.firstDuals(dualsOf(chain, prices), prices));
  let dear: Float64Array | null = null;
  const isOver = ({ isDone, bound }: Part): boolean => isDone || bound >= known.cost || stop();
  const lowest = (): Part => parts.reduce((a, b) => (b.bound < a.bound ? b : a));

  // The loads of the known placement come first, and the part that it is in.
  const peaks = known.choice.map((p, i) => chain.peak[(i * chain.places + p) * chain.resources + widest] ?? 0);
  const first = at(
    parts,
    parts.findIndex(({ range }) => range.level >= Math.max(0, ...peaks)),
  );
  for (const [d, { places: own }] of master.devices.entries()) {
    const load = known.choice.flatMap((p, i) => (own.places.includes(p) ? [[i, p] as const] : []));
    master.add(d, own.resource === widest ? first.number : -1, load, first.duals);
  }

  const round = (part: Part): void => {
    const duals = part.duals.map((dual, row) => dual + part.smooth * (realAt(part.best, row) - dual));
    let bound = master.worthOfAll(duals);
    let isNew = false;
    for (const [d, device] of master.devices.entries()) {
      const isWidest = device.places.resource === widest;
      const { least, ...worth } = master.worth(duals, d);
      const { profit, load } = bestLoad(chain, device, isWidest ? part.range : ANY, worth, Math.max(0, least));
      bound -= profit;
      if (load !== null && master.add(d, isWidest ? part.number : -1, load, part.duals)) isNew = true;
    }
    if (bound > part.bound) Object.assign(part, { bound, best: duals });
    const isLast = !isNew && part.smooth === 0 && part.value < Infinity;
    part.smooth = isNew ? SMOOTH : 0;
    const isClose = part.bound >= part.value - CLOSE * known.cost;
    const mixture = isLast || isClose ? null : master.mixture(part.number, solver, dear);
    if (mixture === null) part.isDone = true;
    else Object.assign(part, { value: mixture.value, duals: mixture.duals });
  };

  let rounds = 0;
  for (; rounds < MOST_ROUNDS && !isOver(first); rounds++) round(first);
  if (first.value === Infinity) return null;
  // What items are worth hardly depends on the part; mixtures that leave some out are of no use where they are dear.
  dear = first.best;
  for (const part of parts) if (part !== first) part.duals = part.best = first.best;
  for (; rounds < MOST_ROUNDS && !isOver(lowest()); rounds++) round(lowest());
  const bound = lowest().bound * (1 - INTEGER_TOLERANCE);
  for (let pass = 0; pass < MOST_PASSES && bound < known.cost && !stop(); pass++) {
    const mixture = master.mixture(lowest().number, solver, dear);
    const better = between(problem, solver, { ...limits, known }, mixture, master);
    if (better === null) break;
    known = better;
  }
  return { bound, solution: known === limits.known ? null : known };
}

/** A part for each height of the largest peak, on the resource that has it; where nothing can run out there are no peaks, and one. */
function partsOf(chain: Chain, duals: Float64Array): { widest: number; parts: Part[] } {
  const peaks = Array.from(chain.capacities, (_, r) => [...peaksWithin(chain, r, ANY)]);
  const highest = peaks.map((own) => Math.max(...own));
  const widest = highest.indexOf(Math.max(...highest));
  const ranges = rangesOf(peaks[widest] ?? [0], SAME_PEAK * (chain.capacities[widest] ?? 0));
  const fresh = { bound: -Infinity, value: Infinity, duals, best: duals, smooth: 0, isDone: false };
  return { widest, parts: ranges.map((range, number) => ({ ...fresh, range, number })) };
}

/** The program in which a place gets as many of a run as in the known placement, in a load of the mixture, or between. */
function between(
  problem: Problem,
  solver: IntegerSolver,
  { objective, known, stop }: MixtureLimits,
  mixture: Mixture | null,
  { devices }: MasterProgram,
): Solution | null {
  const mixed = [...(mixture?.shares ?? [])].filter(([, share]) => share > LEAST_SHARE);
  const program = countProgram(problem, {
    objective,
    between: (items, place) => {
      const isCounted = new Set(items);
      const own = mixed.filter(([{ device }]) => at(devices, device).places.places.includes(place));
      const isWhole = own.reduce((sum, [, share]) => sum + share, 0) >= 1 - LEAST_SHARE;
      const counts = [
        items.filter((i) => known.choice[i] === place).length,
        ...(isWhole ? [] : [0]),
        ...own.map(([{ load }]) => load.filter(([i, p]) => p === place && isCounted.has(i)).length),
      ];
      return [Math.min(...counts), Math.max(...counts)];
    },
  });
  if (program === null) return null;
  const { solution } = ask(problem, solver, program, {
    objective,
    cutoff: known.cost,
    work: BETWEEN,
    start: known,
    stop,
  });
  return solution !== null && solution.cost < known.cost ? solution : null;
}
