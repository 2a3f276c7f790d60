/**
 * A placement problem through its program of counts, for which an integer solver is given.
 *
 * First come smaller programs that leave crossings out (`Order` in `runs.ts`): they have the bound, and how many of each kind
 * go where, which a search in the whole program puts in order. Then the whole program, from the best so far, and the same
 * program pair of devices by pair of devices, all others being held. Limits are counts of work, so the same problem gets
 * the same answer on every machine.
 */
import { at, found } from '../../../checked-access.js';
import { localSearch } from '../local-search.js';
import { numberAt, realAt } from '../number-at.js';
import { costOf, type Problem, type Solution } from '../problem.js';
import { scarceResources } from '../resources.js';
import { countProgram, type CountProgram } from './count-program.js';
import { INTEGER_TOLERANCE, type IntegerSolver } from './integer-program.js';
import { searchMixtures } from './mixtures.js';
import { onlyBetween, withPlaces } from './narrowed.js';
import { busyMs, objectiveOf, type Objective } from './objective.js';
import { groupsOf, type Order } from './runs.js';

/** Simplex iterations times columns: five million take about a second. */
const MIXED_FIRST = 1e6;
const MIXED = 8e6;
const MIXED_IF_WIDE = 2e6;
const STRETCHES = 12e6;
const SHORT = 4e6;
const WHOLE = 8e6;
const ORDERING = 0.5e6;
const PAIR = 0.2e6;
/** Of more than two memories that can be full, gaps that are worth no more work, no more pairs, and no stretches where mixtures follow: fractions of the cost. */
const CLOSE = 3e-4;
const CLOSE_FOR_PAIRS = 1e-3;
const CLOSE_FOR_STRETCHES = 5e-3;
/** A gap that more of the program without crossings hardly narrows, and mixtures do. */
const WIDE = 3e-2;
/** Rounds of pairs, each of which has to gain this fraction for the next. */
const MOST_ROUNDS = 3;
const LEAST_GAIN = 1e-4;

export interface ProgramLimits {
  readonly objective?: Objective;
  /** Only placements that cost less are of interest. */
  readonly cutoff: number;
  /** A placement to begin with. */
  readonly known?: Solution | null;
  /** Times the usual effort. */
  readonly effort?: number;
  readonly stop: () => boolean;
}

export interface ProgramResult {
  /** A placement that fits to the byte and costs less than the cutoff by more than the tolerance, if one was found. */
  readonly solution: Solution | null;
  /** Nothing that fits costs less. */
  readonly bound: number;
}

/** Null where the problem is no program of counts. */
export function searchProgram(problem: Problem, solver: IntegerSolver, limits: ProgramLimits): ProgramResult | null {
  const program = countProgram(problem, limits);
  return program === null ? null : new ProgramSearch(problem, program, solver, limits).run();
}

interface Effort {
  /** Simplex iterations times columns. */
  readonly work: number;
  readonly restarts?: boolean;
  /** A placement to begin with; the best by default. */
  readonly from?: Solution | null;
}

interface Answer {
  readonly solution: Solution | null;
  /** What the solution costs by the program. */
  readonly value: number;
  readonly bound: number;
}

class ProgramSearch {
  private readonly problem: Problem;
  private readonly program: CountProgram;
  private readonly solver: IntegerSolver;
  private readonly limits: ProgramLimits;
  private readonly objective: Objective;
  private readonly devices: readonly number[];
  /** More than two memories can be full. */
  private readonly isLarge: boolean;
  private best: Solution | null;
  private bound = -Infinity;
  /** What pairs of devices held when they were searched. */
  private readonly tried = new Set<string>();

  constructor(problem: Problem, program: CountProgram, solver: IntegerSolver, limits: ProgramLimits) {
    this.problem = problem;
    this.program = program;
    this.solver = solver;
    this.limits = limits;
    this.objective = limits.objective ?? 'sum';
    this.devices = [...new Set(problem.homes)];
    this.isLarge = scarceResources(problem).length > 2;
    const known = limits.known ?? null;
    this.best = known !== null && known.cost <= limits.cutoff ? known : null;
  }

  run(): ProgramResult {
    const { limits } = this;
    this.search(limits.effort ?? 1);
    const { best } = this;
    const isNew = best !== null && best !== limits.known;
    return { solution: isNew ? best : null, bound: Math.min(this.least(), this.bound) };
  }

  /** What has to be undercut. */
  private least(): number {
    return Math.min(this.limits.cutoff, this.best?.cost ?? Infinity) * (1 - INTEGER_TOLERANCE);
  }

  private isOver(close = CLOSE): boolean {
    const { effort = 1, stop } = this.limits;
    const gap = this.isLarge && this.objective === 'sum' ? close / effort : INTEGER_TOLERANCE;
    return this.bound >= this.least() * (1 - gap) || (this.best !== null && stop());
  }

  private search(effort: number): void {
    const stretches = this.relaxation('stretches');
    const mixed = this.isLarge ? this.relaxation('mixed') : null;
    let isSettled = mixed !== null && this.relax(mixed, { work: MIXED_FIRST * effort });
    if (mixed !== null && !isSettled) {
      const work = (this.best === null || this.isOver(WIDE) ? MIXED : MIXED_IF_WIDE) * effort;
      // What a program that is still open has found is a worse start than none.
      isSettled = this.relax(mixed, { work, from: null });
    }
    const isOpen = this.isLarge && !isSettled;
    if (isOpen) {
      if (this.best === null) this.solve(SHORT * effort);
      this.searchPairs();
      this.mix();
    }
    if (stretches !== null && !(isOpen && this.isOver(CLOSE_FOR_STRETCHES)))
      this.relax(stretches, { work: STRETCHES * effort, restarts: false });
    if (stretches === null || !this.isLarge) this.solve(WHOLE * effort);
    if (!isOpen || this.objective === 'busiest') this.searchPairs();
  }

  private solve(work: number): void {
    if (this.isOver()) return;
    const { bound, solution } = this.answer(this.problem, this.program, { work });
    this.bound = Math.max(this.bound, bound);
    this.keep(solution);
  }

  /** The program with less of the chain's order; null where nothing of it can be left out. */
  private relaxation(order: Order): CountProgram | null {
    const program = this.objective === 'sum' ? countProgram(this.problem, { order }) : null;
    const { columns } = this.program.program;
    return program !== null && program.program.columns.length < columns.length ? program : null;
  }

  /** Takes a relaxation's bound, and its placement in a better order; returns whether it was solved to the end. */
  private relax(program: CountProgram, effort: Effort): boolean {
    if (this.isOver()) return true;
    const { bound, solution, value } = this.answer(this.problem, program, effort);
    this.bound = Math.max(this.bound, bound);
    const isSolved = bound >= value * (1 - 2 * INTEGER_TOLERANCE);
    if (solution !== null) this.keep(this.reordered(solution));
    return isSolved;
  }

  /** The best order for a placement, as far as items go only where others of their kind are. */
  private reordered(solution: Solution): Solution {
    const { problem } = this;
    const places = new Map<number, ReadonlySet<number>>();
    for (const { items } of groupsOf(problem, 'kinds')) {
      const own = new Set(items.map((i) => at(solution.choice, i)));
      for (const i of items) places.set(i, own);
    }
    const held = withPlaces(problem, (i, place) => found(places, i).has(place));
    const program = countProgram(held);
    const better = program === null ? null : this.answer(held, program, { work: ORDERING, from: solution }).solution;
    return better === null || better.cost >= solution.cost ? solution : better;
  }

  private keep(solution: Solution | null): void {
    if (solution === null || solution.cost === Infinity) return;
    const { problem, objective, limits } = this;
    const better = objective === 'sum' ? localSearch(problem, solution, limits.stop) : solution;
    if (better.cost < this.least()) this.best = better;
  }

  /** What the solver finds, priced, and the least that anything costs by its proof. */
  private answer(problem: Problem, program: CountProgram, { work, restarts, from = this.best }: Effort): Answer {
    const { columns } = program.program;
    const start = from !== null && costOf(problem, from.choice) < Infinity ? program.valuesOf(from.choice) : null;
    const { values, bound } = this.solver(program.program, {
      cutoff: this.least(),
      start,
      iterations: Math.ceil(work / columns.length),
      restarts,
      stop: this.limits.stop,
    });
    // What its tolerances cannot have raised above what is true.
    const least = bound === Infinity ? Infinity : bound * (1 - INTEGER_TOLERANCE);
    if (values === null) return { solution: null, value: Infinity, bound: least };
    const choice = program.choiceOf(values);
    const value = columns.reduce((sum, { cost }, k) => sum + cost * realAt(values, k), 0);
    return { solution: { choice, cost: objectiveOf(this.problem, this.objective, choice) }, value, bound: least };
  }

  private mix(): void {
    const { best, problem, objective, solver, limits } = this;
    if (best === null || objective === 'busiest' || this.isOver()) return;
    const mixed = searchMixtures(problem, solver, { objective, known: best, stop: limits.stop });
    if (mixed === null) return;
    this.bound = Math.max(this.bound, mixed.bound);
    this.keep(mixed.solution);
  }

  private searchPairs(): void {
    const { devices } = this;
    if (!this.isLarge) return;
    for (let round = 0; round < MOST_ROUNDS && this.best !== null && !this.isOver(CLOSE_FOR_PAIRS); round++) {
      const before: number = this.best.cost;
      for (const [k, a] of devices.entries()) {
        for (const b of devices.slice(k + 1)) if (!this.isOver(CLOSE_FOR_PAIRS)) this.searchPair([a, b]);
      }
      if (this.best.cost > before * (1 - LEAST_GAIN)) break;
    }
  }

  private searchPair(part: readonly number[]): void {
    const { problem, objective, best } = this;
    if (best === null) return;
    if (objective === 'busiest') {
      const busy = busyMs(problem, best.choice);
      if (!part.some((device) => busy.get(device) === best.cost)) return;
    }
    // Crossings are sums of two ends, so that where all else lies makes no difference to a pair.
    const own = best.choice.map((place) => (part.includes(numberAt(problem.homes, place)) ? place : -1)).join();
    if (this.tried.has(own)) return;
    this.tried.add(own);
    const held = onlyBetween(problem, best.choice, part);
    const program = countProgram(held, { objective });
    if (program !== null) this.keep(this.answer(held, program, { work: PAIR }).solution);
  }
}
