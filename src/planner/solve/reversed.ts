/**
 * The same problem from the other end. In a captioning model the last blocks are large and run per token, the first are
 * small and run once: deciding the dear ones first leaves the cheap ones to fill the gaps, so good placements turn up
 * early.
 */
import { at, found } from '../../checked-access.js';
import type { Input, Item, Problem } from './problem.js';

export function reversed(problem: Problem): Problem {
  const { items } = problem;
  const last = items.length - 1;
  const inputs: Input[][] = items.map(() => []);
  // Matrices that items share stay shared.
  const transposes = new Map<Input['cost'], number[][]>();
  const rootOf: number[] = [];
  for (const [i, item] of items.entries()) {
    rootOf.push(item.sameAs === null ? i : at(rootOf, item.sameAs));
    for (const { from, cost } of item.inputs) {
      const own = transposes.get(cost) ?? transposed(cost);
      transposes.set(cost, own);
      at(inputs, from).push({ from: last - i, cost: own });
    }
  }
  const latest = new Map(rootOf.map((root, i) => [root, i]));
  return {
    ...problem,
    items: items
      .map((item, i): Item => {
        const leader = found(latest, at(rootOf, i));
        return {
          cost: item.cost,
          use: item.use,
          peak: item.peak,
          sameAs: leader === i ? null : last - leader,
          inputs: at(inputs, i),
        };
      })
      .toReversed(),
  };
}

function transposed(matrix: readonly (readonly number[])[]): number[][] {
  return at(matrix, 0).map((_, c) => matrix.map((row) => at(row, c)));
}
