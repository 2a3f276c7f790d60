/** What a placement is judged by. */
import { at, found } from '../../../checked-access.js';
import { costOf, type Problem } from '../problem.js';

/** `sum`: what all items and crossings cost. `busiest`: what the items of the busiest device cost. */
export type Objective = 'sum' | 'busiest';

/** What a placement costs by the objective; Infinity where it does not fit. */
export function objectiveOf(problem: Problem, objective: Objective, choice: readonly number[]): number {
  const cost = costOf(problem, choice);
  return objective === 'sum' || cost === Infinity ? cost : Math.max(...busyMs(problem, choice).values());
}

/** Device (of `homes`) -> what its items cost. */
export function busyMs({ homes, items }: Problem, choice: readonly number[]): Map<number, number> {
  const busy = new Map(homes.map((home) => [home, 0]));
  for (const [i, { cost }] of items.entries()) {
    const place = at(choice, i);
    const home = at(homes, place);
    busy.set(home, found(busy, home) + at(cost, place));
  }
  return busy;
}

/** The problem without what makes no difference to the objective: crossings go beside the work of the busiest device. */
export function countedBy(objective: Objective, problem: Problem): Problem {
  if (objective === 'sum') return problem;
  return { ...problem, items: problem.items.map((item) => ({ ...item, inputs: [] })) };
}
