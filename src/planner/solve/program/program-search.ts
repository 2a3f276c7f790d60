/**
 * A placement problem through its program of counts, for which an integer solver is given.
 *
 * A short search finds a placement; local search improves it pair of devices by pair of devices, all others being held, by
 * the same program; a longer search begins with it, and has the bound. Limits are simplex iterations, so the same
 * problem gets the same answer on every machine.
 */
import { at } from '../../../checked-access.js';
import { localSearch } from '../local-search.js';
import { numberAt } from '../number-at.js';
import { costOf, type Item, type Problem, type Solution } from '../problem.js';
import { scarceResources } from '../resources.js';
import { countProgram, type CountProgram } from './count-program.js';
import type { IntegerSolver } from './integer-program.js';
import { busyMs, objectiveOf, type Objective } from './objective.js';
import { peakParts } from './peak-parts.js';

/**
 * As a fraction of a cost: what counts as cheaper here, and what a bound of an integer solver is lowered by. It keeps to its
 * rows within 1e-7 MiB and milliseconds, so its bounds are off by less than a thousandth of this.
 */
export const INTEGER_TOLERANCE = 1e-6;

/** Simplex iterations: a fifth to half a second for a thousand. */
const SHORT = 5000;
const LONG = 12_000;
const PART = 4000;
const PAIR = 800;
/** Parts have to raise the bound by this fraction of what is open. */
const WORTHWHILE = 0.1;
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
  const program = countProgram(problem, limits.objective);
  return program === null ? null : new ProgramSearch(problem, program, solver, limits).run();
}

class ProgramSearch {
  private readonly problem: Problem;
  private readonly program: CountProgram;
  private readonly solver: IntegerSolver;
  private readonly limits: ProgramLimits;
  private readonly objective: Objective;
  private readonly devices: readonly number[];
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
    const known = limits.known ?? null;
    this.best = known !== null && known.cost <= limits.cutoff ? known : null;
  }

  run(): ProgramResult {
    const { effort = 1 } = this.limits;
    if (scarceResources(this.problem).length > 2) {
      this.solve(SHORT * effort);
      this.searchPairs();
      this.searchParts(effort);
      this.searchPairs();
    } else {
      this.solve(LONG * effort);
    }
    const { best, limits } = this;
    const isNew = best !== null && best !== limits.known;
    return { solution: isNew ? best : null, bound: Math.min(this.least(), this.bound) };
  }

  /** What has to be undercut. */
  private least(): number {
    return Math.min(this.limits.cutoff, this.best?.cost ?? Infinity) * (1 - INTEGER_TOLERANCE);
  }

  private isOver(): boolean {
    return this.bound >= this.least() || (this.best !== null && this.limits.stop());
  }

  private solve(iterations: number): void {
    if (this.isOver()) return;
    this.bound = Math.max(this.bound, lowered(this.attempt(this.problem, this.program, iterations)));
  }

  /**
   * Part by part (`peak-parts.ts`), where linear programs say that it raises the bound, else the whole; the most promising
   * part first.
   */
  private searchParts(effort: number): void {
    if (this.isOver()) return;
    const parts = (this.objective === 'sum' ? peakParts(this.problem) : [])
      .flatMap((problem) => {
        const program = countProgram(problem, this.objective);
        return program === null ? [] : [{ problem, program, bound: this.linearBound(program) }];
      })
      .sort((a, b) => a.bound - b.bound);
    const raised = (parts.at(0)?.bound ?? -Infinity) - this.bound;
    if (raised < WORTHWHILE * (this.least() - this.bound)) {
      this.solve(LONG * effort);
      return;
    }
    // Beyond a part that stays open others would leave the least bound as it is; one that holds the best may have better.
    let stopped = Infinity;
    for (const part of parts) {
      if (part.bound >= this.least() || this.isOver()) break;
      if (part.bound >= stopped && !this.holdsBest(part.problem)) continue;
      part.bound = Math.max(part.bound, lowered(this.attempt(part.problem, part.program, PART * effort)));
      if (part.bound < this.least()) stopped = Math.min(stopped, part.bound);
    }
    this.bound = Math.max(this.bound, Math.min(...parts.map(({ bound }) => bound)));
  }

  private holdsBest(problem: Problem): boolean {
    return this.best !== null && costOf(problem, this.best.choice) < Infinity;
  }

  /** What every placement costs at least by the program without whole numbers. */
  private linearBound({ program }: CountProgram): number {
    const columns = program.columns.map((column) => ({ ...column, whole: false }));
    const { bound } = this.solver({ columns, rows: program.rows }, { cutoff: Infinity, stop: () => false });
    return Math.max(this.bound, lowered(bound));
  }

  /** Keeps what is better than the best; returns the solver's bound. */
  private attempt(problem: Problem, program: CountProgram, iterations: number): number {
    const { best, limits, objective } = this;
    const start = best !== null && this.holdsBest(problem) ? program.valuesOf(best.choice) : null;
    const least = this.least();
    const answer = this.solver(program.program, { cutoff: least, start, iterations, stop: limits.stop });
    if (answer.values !== null) {
      const choice = program.choiceOf(answer.values);
      const cost = objectiveOf(this.problem, objective, choice);
      if (cost < least) this.best = { choice, cost };
    }
    return answer.bound;
  }

  private searchPairs(): void {
    const { problem, devices, objective, limits } = this;
    for (let round = 0; round < MOST_ROUNDS && this.best !== null && !this.isOver(); round++) {
      const before: number = this.best.cost;
      if (objective === 'sum') this.best = localSearch(problem, this.best, limits.stop);
      for (const [k, a] of devices.entries()) {
        for (const b of devices.slice(k + 1)) if (!this.isOver()) this.searchPair([a, b]);
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
    const program = countProgram(held, objective);
    if (program !== null) this.attempt(problem, program, PAIR);
  }
}

/** A bound of the solver that its tolerances cannot have raised above what is true. */
function lowered(bound: number): number {
  return bound === Infinity ? Infinity : bound * (1 - INTEGER_TOLERANCE);
}

/** The problem in which items on other devices stay where they are. */
function onlyBetween(problem: Problem, choice: readonly number[], devices: readonly number[]): Problem {
  const isFree = (place: number): boolean => devices.includes(at(problem.homes, place));
  const items = problem.items.map((item, i): Item => {
    const own = at(choice, i);
    const mayGo = (place: number): boolean => (isFree(own) ? isFree(place) : place === own);
    return { ...item, cost: item.cost.map((cost, place) => (mayGo(place) ? cost : Infinity)) };
  });
  return { ...problem, items };
}
