/** The choice of a place for every block: the solver over all the cases that an engine allows. */
import type { Place } from '../price/place.js';
import { solveExact, type SolveOptions } from '../solve/exact.js';
import type { Problem } from '../solve/problem.js';
import { assemble, type Placing } from './assemble.js';
import { takenBytes, type PlanContext } from './context.js';
import { engineCases } from './engine-cases.js';
import { tidyChoice } from './tidy-choice.js';

export type Answer =
  | {
      /** `optimal`: nothing that fits costs less. `stopped`: nothing that fits costs less than `bound`. */
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

/** The fastest placement over all the cases. */
export function choosePlaces(context: PlanContext, options: SolveOptions = {}): Answer {
  let best: Exclude<Answer, { status: 'none' }> | null = null;
  let bound = Infinity;
  for (const placing of casesOf(context)) {
    const problem = assemble(context.profile, placing, context.prices);
    if (exceedsEverything(problem)) continue;
    const cutoff: number = Math.min(best?.cost ?? Infinity, options.cutoff ?? Infinity);
    const result = solveExact(problem, { ...options, cutoff });
    bound = Math.min(bound, result.bound);
    if (result.status === 'infeasible') continue;
    const choice = result.solution.choice.map((p) => placing.places[p]).filter((place) => place !== undefined);
    best = {
      status: result.status,
      choice: tidyChoice(context.profile, choice, placing.allows),
      cost: result.solution.cost,
      bound: result.bound,
    };
  }
  if (best === null) return { status: 'none', proven: bound === Infinity, cost: Infinity };
  const proven = bound >= best.cost * (1 - 1e-9);
  return { ...best, bound: proven ? best.cost : bound, status: proven ? 'optimal' : 'stopped' };
}

/** Whether the items are more than all resources together: a proof that costs nothing. */
function exceedsEverything({ items, capacities }: Problem): boolean {
  const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
  const least = items.map((item) =>
    Math.min(...item.use.filter((_, p) => (item.cost[p] ?? Infinity) < Infinity).map(sum)),
  );
  return sum(least) > sum(capacities);
}

export function casesOf(context: PlanContext): Placing[] {
  const { budgets } = context;
  const ids = [...budgets.gpus.keys()].sort((a, b) => a - b);
  return engineCases({
    profile: context.profile,
    machine: context.machine,
    gpuBytes: new Map(ids.map((id) => [id, (budgets.gpus.get(id) ?? 0) - takenBytes(context, id)])),
    ramBytes: budgets.ramBytes,
    diskBytes: budgets.diskBytes,
    pins: context.pins,
    schemes: context.schemes,
    allowsScheme: (block, scheme) => {
      const settled = context.settled.get(block.name);
      return settled === undefined ? scheme === null || block.forms.has(scheme) : scheme === settled;
    },
  });
}
