/** The cases of an engine as problems for the solver, and the answer that comes of them. */
import { at } from '../../../checked-access.js';
import { type Place, runsOn } from '../../price/place.js';
import type { Problem } from '../../solve/problem.js';
import type { ModelProfile, ProfileBlock } from '../../profile/model-profile.js';
import type { PlanContext } from '../request/prepare-plan.js';
import { assemble, type Placing } from './assemble.js';
import { engineCases } from './engine-cases.js';
import { numbersOf } from './alike.js';

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

const ORDER = { resident: 0, streamed: 1, host: 2 } as const;

/**
 * The same placement with like places side by side: which of equal layers in a row a solver streams is chance. Neither cost
 * nor memory changes as long as each layer runs on the same device as before.
 * @param allows whether a block may be in a place: pins name single blocks
 */
function tidyChoice(
  profile: ModelProfile,
  choice: readonly Place[],
  allows: (block: ProfileBlock, place: Place) => boolean,
): Place[] {
  const tidy: Place[] = [];
  const { blocks } = profile;
  for (let start = 0; start < blocks.length;) {
    let end = start + 1;
    while (
      end < blocks.length &&
      interchangeable(at(blocks, start), at(choice, start), at(blocks, end), at(choice, end))
    )
      end += 1;
    const own = blocks.slice(start, end);
    const places = choice.slice(start, end);
    const sorted = places.toSorted((a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0));
    const possible = own.every((block, i) => allows(block, at(sorted, i)));
    tidy.push(...(possible ? sorted : places));
    start = end;
  }
  return tidy;
}

function interchangeable(a: ProfileBlock, placeA: Place, b: ProfileBlock, placeB: Place): boolean {
  const free = [a, b].every((block) => block.bond === null && block.extraInputs.length === 0);
  return free && runsOn(placeA) === runsOn(placeB) && numbersOf(a) === numbersOf(b);
}

/** Held by a GPU first: while such layers run, the next may already be copied. */
function key(place: Place): string {
  const store = place.execution === 'resident' ? '' : place.store;
  const level = place.execution === 'streamed' ? place.level : 0;
  return `${ORDER[place.execution]} ${place.scheme ?? ''} ${store} ${level}`;
}
