/** The cases of an engine as problems for the solver, and the answer that comes of them. */
import { at } from '../../../checked-access.js';
import type { Place } from '../../price/place.js';
import type { Problem } from '../../solve/problem.js';
import type { PlanContext } from '../request/prepare-plan.js';
import { assemble, type Placing } from './assemble.js';
import { engineCases } from './engine-cases.js';
import { tidyChoice } from './tidy-choice.js';

/** What a case of the engine has come to. */
export interface Case {
  readonly placing: Placing;
  readonly problem: Problem;
  /** Nothing that fits here costs less. */
  bound: number;
}

export type Answer =
  | {
      /**
       * `optimal`: nothing that fits costs less (by more than two millionths, with an integer solver). `stopped`: nothing
       * that fits costs less than `bound`.
       */
      readonly status: 'optimal' | 'stopped';
      readonly choice: readonly Place[];
      /** Milliseconds per call, prices of accuracy included. */
      readonly cost: number;
      readonly bound: number;
    }
  | {
      readonly status: 'none';
      /** Whether nothing fits for certain; else the search ended before it found anything. */
      readonly proven: boolean;
      readonly cost: typeof Infinity;
    };

/** A placement of a case: a place for each item. */
export interface Best {
  readonly of: Case;
  readonly choice: readonly number[];
  readonly cost: number;
}

export function casesOf(context: PlanContext): Case[] {
  return engineCases(context).map((placing) => {
    const problem = assemble(context.profile, placing, context.prices);
    return { placing, problem, bound: exceedsEverything(problem) ? Infinity : -Infinity };
  });
}

/** @param tolerance costs closer than this fraction are equal */
export function answerOf(context: PlanContext, cases: readonly Case[], best: Best | null, tolerance: number): Answer {
  const bound = Math.min(Infinity, ...cases.map((each) => each.bound));
  if (best === null) return { status: 'none', proven: bound === Infinity, cost: Infinity };
  const { of, choice, cost } = best;
  const proven = bound >= cost * (1 - tolerance);
  const places = choice.map((p) => at(of.placing.places, p));
  return {
    status: proven ? 'optimal' : 'stopped',
    choice: tidyChoice(context.profile, places, of.placing.allows),
    cost,
    bound: proven ? cost : bound,
  };
}

/** Whether the items are more than all resources together: a proof that costs nothing. */
function exceedsEverything({ items, capacities }: Problem): boolean {
  const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
  const least = items.map((item) => Math.min(...item.use.filter((_, p) => at(item.cost, p) < Infinity).map(sum)));
  return sum(least) > sum(capacities);
}
