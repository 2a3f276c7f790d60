/**
 * What placements cost at least, as mixtures: every device mixes loads that fit, until all items are taken (Dantzig and Wolfe). A
 * linear program of the loads known so far says what items are worth, and each device whether another load is worth more. Few
 * large items fill many unlike devices badly, which counts of bytes do not know.
 */
import { at } from '../../../checked-access.js';
import { layOut, type Chain } from '../chain.js';
import { dualsOf } from '../decomposition.js';
import { devicePlaces } from '../device-places.js';
import { realAt } from '../number-at.js';
import { peaksWithin, rangesOf, type Range } from '../peaks.js';
import { bestBound } from '../prices.js';
import type { Problem, Solution } from '../problem.js';
import { countProgram } from './count-program.js';
import { INTEGER_TOLERANCE, type IntegerSolver } from './integer-program.js';
import { bestLoad } from './loads.js';
import { MasterProgram } from './master-program.js';
import { objectiveOf, type Objective } from './objective.js';

const MOST_ROUNDS = 100;
/** Programs between loads, each from what the one before found, and the simplex iterations times columns of each. */
const MOST_PASSES = 2;
const BETWEEN = 4e6;
/** Peaks of the device with the largest one that are taken as one, as a fraction of its capacity. */
const SAME_PEAK = 1 / 256;
/** As a fraction of the cost: what a round has to promise. */
const CLOSE = 2e-5;
/** What items are worth where loads are sought: half by the mixture, half as the best bound has it. */
const SMOOTH = 0.5;
/** What is less in a mixture is not in it. */
const LEAST_SHARE = 1e-6;

export interface MixtureResult {
  /** A placement that fits and costs less than the known one, if one was found. */
  readonly solution: Solution | null;
  /** Nothing that fits costs less. */
  readonly bound: number;
}

/** Null where the solver tells no duals. */
export function searchMixtures(
  problem: Problem,
  solver: IntegerSolver,
  limits: { readonly objective: Objective; readonly known: Solution; readonly stop: () => boolean },
): MixtureResult | null {
  return new Mixtures(problem, solver, limits).run();
}

/** Placements whose largest peak on one of the resources is within a range. */
interface Part {
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

class Mixtures {
  private readonly problem: Problem;
  private readonly solver: IntegerSolver;
  private readonly objective: Objective;
  private known: Solution;
  private readonly stop: () => boolean;
  private readonly chain: Chain;
  private readonly master: MasterProgram;
  private readonly parts: readonly Part[];
  /** The resource that has the largest peak. */
  private readonly widest: number;

  constructor(
    problem: Problem,
    solver: IntegerSolver,
    { objective, known, stop }: Parameters<typeof searchMixtures>[2],
  ) {
    this.problem = problem;
    this.solver = solver;
    this.objective = objective;
    this.known = known;
    this.stop = stop;
    const chain = layOut(problem);
    this.chain = chain;
    const places = devicePlaces(problem, chain);
    this.master = new MasterProgram(problem, chain, places, { objective, whole: 2 * known.cost });
    const all = new Float64Array(chain.resources).fill(Infinity);
    const nothing = (): void => undefined;
    const { prices } = bestBound(chain, chain.capacities, all, () => known.cost, nothing);
    const duals = this.master.firstDuals(dualsOf(chain, places, prices), prices);
    const peaks = Array.from(all, (_, r) => [...peaksWithin(chain, r, { floor: 0, level: Infinity })]);
    const highest = peaks.map((own) => Math.max(...own));
    this.widest = highest.indexOf(Math.max(...highest));
    // Where nothing can run out there are no peaks, and one part.
    const ranges = rangesOf(peaks[this.widest] ?? [0], SAME_PEAK * (chain.capacities[this.widest] ?? 0));
    this.parts = ranges.map((range) => ({
      range,
      bound: -Infinity,
      value: Infinity,
      duals,
      best: duals,
      smooth: 0,
      isDone: false,
    }));
  }

  run(): MixtureResult | null {
    const { parts, master } = this;
    const first = this.addKnown();
    let rounds = 0;
    for (; rounds < MOST_ROUNDS && !this.isOver(first); rounds++) this.round(first);
    if (first.value === Infinity) return null;
    // What items are worth hardly depends on the part; mixtures that leave some out are of no use where they are dear.
    master.most = first.best.map((dual) => 2 * dual);
    for (const part of parts) if (part !== first) part.duals = part.best = first.best;
    const lowest = (): Part => parts.reduce((a, b) => (b.bound < a.bound ? b : a));
    for (; rounds < MOST_ROUNDS && !this.isOver(lowest()); rounds++) this.round(lowest());
    const bound = lowest().bound * (1 - INTEGER_TOLERANCE);
    let solution: Solution | null = null;
    for (let pass = 0; pass < MOST_PASSES && bound < this.known.cost && !this.stop(); pass++) {
      const better = this.between(lowest());
      if (better === null) break;
      this.known = solution = better;
    }
    return { bound, solution };
  }

  private isOver({ isDone, bound }: Part): boolean {
    return isDone || bound >= this.known.cost || this.stop();
  }

  /** Begins with the loads of the known placement; returns the part that it is in. */
  private addKnown(): Part {
    const { master, chain, known, widest, parts } = this;
    const peak = Math.max(
      0,
      ...known.choice.map((p, i) => chain.peak[(i * chain.places + p) * chain.resources + widest] ?? 0),
    );
    const own = parts.findIndex(({ range }) => range.level >= peak);
    for (const [d, { places }] of master.devices.entries()) {
      const load = known.choice.flatMap((p, i) => (places.places.includes(p) ? [[i, p] as const] : []));
      master.add(d, places.resource === widest ? own : -1, load, at(parts, own).duals);
    }
    return at(parts, own);
  }

  private round(part: Part): void {
    const { chain, master, known, widest } = this;
    const number = this.parts.indexOf(part);
    const duals = part.duals.map((dual, row) => dual + part.smooth * (realAt(part.best, row) - dual));
    let bound = master.worthOfAll(duals);
    let isNew = false;
    for (const [d, device] of master.devices.entries()) {
      const isWidest = device.places.resource === widest;
      const within = isWidest ? part.range : { floor: 0, level: Infinity };
      const { least, ...worth } = master.worth(duals, d);
      const { profit, load } = bestLoad(chain, device, within, worth, Math.max(0, least));
      bound -= profit;
      if (load !== null && master.add(d, isWidest ? number : -1, load, part.duals)) isNew = true;
    }
    if (bound > part.bound) Object.assign(part, { bound, best: duals });
    const isLast = !isNew && part.smooth === 0 && part.value < Infinity;
    if (isLast || part.bound >= part.value - CLOSE * known.cost) part.isDone = true;
    else {
      part.smooth = isNew ? SMOOTH : 0;
      const mixture = master.mixture(number, this.solver);
      if (mixture === null) part.isDone = true;
      else Object.assign(part, { value: mixture.value, duals: mixture.duals });
    }
  }

  /** The program in which a place gets as many of a run as in the known placement, in a load of the mixture, or between. */
  private between(part: Part): Solution | null {
    const { master, known, problem, objective, solver, stop } = this;
    const mixture = master.mixture(this.parts.indexOf(part), solver);
    const mixed = [...(mixture?.shares ?? [])].filter(([, share]) => share > LEAST_SHARE);
    const program = countProgram(problem, {
      objective,
      between: (items, place) => {
        const isCounted = new Set(items);
        const device = master.devices.findIndex(({ places }) => places.places.includes(place));
        const own = mixed.filter(([load]) => load.device === device);
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
    const iterations = Math.ceil(BETWEEN / program.program.columns.length);
    const start = program.valuesOf(known.choice);
    const { values } = solver(program.program, { cutoff: known.cost, start, iterations, stop });
    if (values === null) return null;
    const choice = program.choiceOf(values);
    const cost = objectiveOf(problem, objective, choice);
    return cost < known.cost ? { choice, cost } : null;
  }
}
