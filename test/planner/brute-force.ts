import { costOf, type Problem } from '../../src/planner/solve/problem.js';

/** What the cheapest of all choices costs, found by trying each; Infinity where none fits. */
export function bruteForce(problem: Problem): number {
  let best = Infinity;
  const choice: number[] = [];
  const visit = (i: number): void => {
    if (i === problem.items.length) {
      best = Math.min(best, costOf(problem, choice));
      return;
    }
    for (let p = 0; p < problem.places; p++) {
      choice[i] = p;
      visit(i + 1);
    }
  };
  visit(0);
  return best;
}
