import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MIB, withEqual } from '../../../../test/planner/run-problems.js';
import { highsSolver } from '../../../highs/index.js';
import type { Item, Problem } from '../problem.js';
import { searchMixtures } from './mixtures.js';
import { objectiveOf } from './objective.js';

const solver = await highsSolver();

describe('searchMixtures', () => {
  it('never bounds what fits from above, nor answers what does not fit', () => {
    fc.assert(
      fc.property(withEqual, fc.constantFrom('sum' as const, 'busiest' as const), (problem, objective) => {
        if (problem.items.length > 6) return;
        const all: { choice: number[]; cost: number }[] = [];
        const visit = (choice: number[]): void => {
          if (choice.length < problem.items.length) {
            for (let p = 0; p < problem.places; p++) visit([...choice, p]);
            return;
          }
          const cost = objectiveOf(problem, objective, choice);
          if (cost < Infinity) all.push({ choice, cost });
        };
        visit([]);
        const [best, known] = [Math.min(...all.map(({ cost }) => cost)), all[Math.floor(all.length / 2)]];
        if (known === undefined || known.cost === 0) return;
        const result = searchMixtures(problem, solver, { objective, known, stop: () => false });
        expect(result?.bound).toBeLessThanOrEqual(best + 1e-9);
        const { choice, cost = best } = result?.solution ?? {};
        expect(cost).toBeGreaterThanOrEqual(best);
        if (choice !== undefined) expect(objectiveOf(problem, objective, choice)).toBe(cost);
      }),
      { numRuns: 100 },
    );
  });

  it('knows that few large blocks do not fill devices', () => {
    const free = [0, 1, 2].map(() => [0, 0, 0]);
    const on = (r: number): number[] => [0, 1, 2].map((k) => (k === r ? 6 * MIB : 0));
    const items = Array.from({ length: 3 }, (_, i): Item => ({
      cost: [1, 1, 10],
      use: [on(0), on(1), on(2)],
      peak: free,
      sameAs: null,
      inputs: i === 0 ? [] : [{ from: i - 1, cost: free }],
    }));
    // By bytes, all three fit on the first two devices.
    const problem: Problem = { places: 3, homes: [0, 1, 2], capacities: [10 * MIB, 10 * MIB, 1e15], items };
    const known = { choice: [2, 2, 2], cost: 30 };
    const result = searchMixtures(problem, solver, { objective: 'sum', known, stop: () => false });
    expect(result?.bound).toBeCloseTo(12, 4);
    expect(result?.solution?.cost).toBe(12);
  });
});
