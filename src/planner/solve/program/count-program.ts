/**
 * A placement problem as an integer program of counts: per run of items alike and place how many of the run it gets. Who
 * holds the item before a run may hold the run's first, who holds the one after its last, and every other device that takes
 * part is entered and left once. So forty equal blocks are a few variables, and equal placements are one.
 */
import { at } from '../../../checked-access.js';
import { realAt } from '../number-at.js';
import { crossingEnds } from '../device-places.js';
import type { Answer, Problem, Solution } from '../problem.js';
import { draftCounts, type CountOptions, type GroupColumns } from './draft-counts.js';
import { INTEGER_TOLERANCE, type IntegerLimits, type IntegerProgram, type IntegerSolver } from './integer-program.js';
import { countedBy, objectiveOf, type Objective } from './objective.js';

export interface CountProgram {
  readonly program: IntegerProgram;
  /** A placement with the counts of these values; it costs what they cost, and fits if they keep to the rows exactly. */
  readonly choiceOf: (values: Float64Array) => number[];
  /** The values of a placement that fits; they cost what it costs, or less where its runs are in needless pieces. */
  readonly valuesOf: (choice: readonly number[]) => Float64Array;
}

/** Null where the problem is no such program: crossings have to be sums of two ends. */
export function countProgram(whole: Problem, options: CountOptions = {}): CountProgram | null {
  const problem = countedBy(options.objective ?? 'sum', whole);
  const endsOf = crossingEnds(problem.homes);
  const crossings = problem.items.flatMap(({ inputs }) => inputs.map(({ cost }) => cost));
  if (crossings.some((crossing) => !endsOf(crossing).isExact)) return null;
  const { draft, groups, names } = draftCounts(problem, options, endsOf);
  return {
    program: draft.program(),
    choiceOf: (values) => choiceOf(groups, values, problem.homes),
    valuesOf: (choice) => draft.valuesOf(names.ordered(choice)),
  };
}

/** What is sought, and how hard. */
export interface Question extends Pick<IntegerLimits, 'restarts' | 'stop'> {
  readonly objective: Objective;
  /** Only placements that cost less are of interest. */
  readonly cutoff: number;
  /** Simplex iterations times columns: five million take about a second. */
  readonly work: number;
  /** Less of it where more than this fraction of the cost is open still. */
  readonly wide?: { readonly gap: number; readonly work: number } | undefined;
  /** A placement of the program to begin with. */
  readonly start?: Solution | null;
}

/** Asks an integer solver; `value` is what the solution costs by the program. */
export function ask(
  problem: Problem,
  solver: IntegerSolver,
  { program, choiceOf: placesOf, valuesOf }: CountProgram,
  { objective, cutoff, work, wide, start = null, ...limits }: Question,
): Answer & { readonly value: number } {
  const { columns } = program;
  const startValues = start === null ? null : valuesOf(start.choice);
  const iterationsOf = (own: number): number => Math.ceil(own / columns.length);
  const { values, bound: proven } = solver(program, {
    ...limits,
    cutoff,
    start: startValues,
    iterations: iterationsOf(work),
    wide: wide && { gap: wide.gap, iterations: iterationsOf(wide.work) },
  });
  // Less what the solver's tolerances, which are no fractions, can have raised it above what is true.
  const bound = Math.min(proven * (1 - INTEGER_TOLERANCE), Math.max(0, proven - INTEGER_TOLERANCE));
  if (values === null) return { solution: null, value: Infinity, bound };
  const choice = placesOf(values);
  const value = columns.reduce((sum, { cost }, k) => sum + cost * realAt(values, k), 0);
  return { solution: { choice, cost: objectiveOf(problem, objective, choice) }, value, bound };
}

function choiceOf(groups: readonly GroupColumns[], values: Float64Array, homes: readonly number[]): number[] {
  const valueOf = (column: number): number => Math.round(realAt(values, column));
  const choice: number[] = [];
  for (const { group, counts, shares } of groups) {
    const owner = (side: 'first' | 'last'): number => [...shares].find(([, own]) => valueOf(own[side]) > 0)?.[0] ?? -1;
    for (const [k, kind] of group.kinds.entries()) {
      const own = new Map([...at(counts, k)].map(([place, column]) => [place, valueOf(column)]));
      const places = spread(own, owner('first'), owner('last'), homes);
      for (const [n, place] of places.entries()) choice[at(kind, n)] = place;
    }
  }
  return choice;
}

/**
 * The place of every item of a run, in order: every device's part in one piece where that goes.
 * @param counts place -> how many
 * @param first the device that holds the first, -1 where that does not matter; `last` likewise
 */
function spread(counts: ReadonlyMap<number, number>, first: number, last: number, homes: readonly number[]): number[] {
  const partOf = (device: number): number[] =>
    [...counts].flatMap(([place, count]) =>
      homes[place] === device ? Array.from({ length: count }, () => place) : [],
    );
  const devices = [...new Set([...counts.keys()].map((place) => at(homes, place)))];
  const between = devices.filter((device) => device !== first && device !== last).flatMap(partOf);
  const head = first < 0 ? [] : partOf(first);
  if (first !== last) return [...head, ...between, ...(last < 0 ? [] : partOf(last))];
  return between.length === 0 ? head : [...head.slice(0, -1), ...between, ...head.slice(-1)];
}
