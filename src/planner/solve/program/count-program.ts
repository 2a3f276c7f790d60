/**
 * A placement problem as an integer program of counts: per run of items alike and place how many of the run it gets. Who
 * holds the item before a run may hold the run's first, who holds the one after its last, and every other device that takes
 * part is entered and left once. So forty equal blocks are a few variables, and equal placements are one.
 */
import { at } from '../../../checked-access.js';
import { realAt } from '../number-at.js';
import { crossingEnds } from '../crossing-ends.js';
import type { Problem } from '../problem.js';
import { CountBuilder, type CountOptions, type GroupColumns } from './count-builder.js';
import type { IntegerProgram } from './integer-program.js';
import { spread } from './spread.js';

export interface CountProgram {
  readonly program: IntegerProgram;
  /** A placement with the counts of these values; it costs what they cost, and fits if they keep to the rows exactly. */
  readonly choiceOf: (values: Float64Array) => number[];
  /** The values of a placement that fits; they cost what it costs, or less where its runs are in needless pieces. */
  readonly valuesOf: (choice: readonly number[]) => Float64Array;
}

/** Null where the problem is no such program: crossings have to be sums of two ends. */
export function countProgram(problem: Problem, options: CountOptions = {}): CountProgram | null {
  const endsOf = crossingEnds(problem.homes);
  const crossings = problem.items.flatMap(({ inputs }) => inputs.map(({ cost }) => cost));
  if (crossings.some((crossing) => !endsOf(crossing).isExact)) return null;
  const builder = new CountBuilder(problem, options, endsOf);
  const { groups, names } = builder.build();
  return {
    program: builder.draft.program(),
    choiceOf: (values) => choiceOf(groups, values, problem.homes),
    valuesOf: (choice) => builder.draft.valuesOf(names.ordered(choice)),
  };
}

function choiceOf(groups: readonly GroupColumns[], values: Float64Array, homes: readonly number[]): number[] {
  const valueOf = (column: number): number => Math.round(realAt(values, column));
  const owner = (columns: ReadonlyMap<number, number>): number =>
    [...columns].find(([, column]) => valueOf(column) > 0)?.[0] ?? -1;
  const choice: number[] = [];
  for (const { group, counts, firsts, lasts } of groups) {
    const ends = { first: owner(firsts), last: owner(lasts) };
    for (const [k, kind] of group.kinds.entries()) {
      const own = new Map([...at(counts, k)].map(([place, column]) => [place, valueOf(column)]));
      for (const [n, place] of spread({ counts: own, ...ends }, homes).entries()) choice[at(kind, n)] = place;
    }
  }
  return choice;
}
