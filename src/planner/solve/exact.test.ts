import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { solveExact } from './exact.js';
import { costOf, type Item, type Problem } from './problem.js';

/** Tries every choice. */
function bruteForce(problem: Problem): number {
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

const matrix = (rows: number, columns: number, value: fc.Arbitrary<number>): fc.Arbitrary<number[][]> =>
  fc.array(fc.array(value, { minLength: columns, maxLength: columns }), { minLength: rows, maxLength: rows });

const problems = (mostItems: number): fc.Arbitrary<Problem> =>
  fc
    .record({ places: fc.integer({ min: 1, max: 3 }), resources: fc.integer({ min: 1, max: 3 }) })
    .chain(({ places, resources }) =>
      fc
        .array(
          fc.record({
            cost: fc.array(fc.oneof({ weight: 9, arbitrary: fc.integer({ min: 0, max: 60 }) }, fc.constant(Infinity)), {
              minLength: places,
              maxLength: places,
            }),
            use: matrix(places, resources, fc.integer({ min: 0, max: 12 })),
            peak: matrix(places, resources, fc.constantFrom(0, 0, 3, 7)),
            crossing: matrix(places, places, fc.integer({ min: 0, max: 9 })),
            skip: fc.option(
              fc.record({ back: fc.integer({ min: 2, max: 5 }), cost: matrix(places, places, fc.nat(9)) }),
              {
                freq: 4,
              },
            ),
            bond: fc.option(fc.integer({ min: 1, max: 5 }), { freq: 4 }),
          }),
          { minLength: 1, maxLength: mostItems },
        )
        .chain((rows) =>
          fc.record({
            places: fc.constant(places),
            capacities: fc.array(fc.integer({ min: 0, max: 8 * rows.length }), {
              minLength: resources,
              maxLength: resources,
            }),
            items: fc.constant(
              rows.map((row, i): Item => ({
                cost: row.cost,
                use: row.use,
                peak: row.peak,
                sameAs: row.bond !== null && i - row.bond >= 0 ? i - row.bond : null,
                inputs: [
                  ...(i > 0 ? [{ from: i - 1, cost: row.crossing }] : []),
                  ...(row.skip !== null && i - row.skip.back >= 0
                    ? [{ from: i - row.skip.back, cost: row.skip.cost }]
                    : []),
                ],
              })),
            ),
          }),
        ),
    );

describe('solveExact', () => {
  it('agrees with brute force', () => {
    fc.assert(
      fc.property(problems(8), (problem) => {
        const expected = bruteForce(problem);
        const result = solveExact(problem);
        if (expected === Infinity) {
          expect(result).toMatchObject({ status: 'infeasible', proven: true });
          return;
        }
        if (result.status === 'infeasible') throw new Error('a placement fits');
        expect(result.status).toBe('optimal');
        expect(result.solution.cost).toBeCloseTo(expected, 9);
        expect(costOf(problem, result.solution.choice)).toBe(result.solution.cost);
      }),
      { numRuns: 400 },
    );
  });

  it('never gets dearer with more capacity', () => {
    fc.assert(
      fc.property(problems(14), fc.nat(20), fc.nat(2), (problem, more, r) => {
        const cost = (p: Problem): number => {
          const result = solveExact(p);
          return result.status === 'infeasible' ? Infinity : result.solution.cost;
        };
        const larger = { ...problem, capacities: problem.capacities.map((c, k) => (k === r ? c + more : c)) };
        expect(cost(larger)).toBeLessThanOrEqual(cost(problem));
      }),
      { numRuns: 200 },
    );
  });

  it('reports a true bound when it has to stop early', () => {
    fc.assert(
      fc.property(problems(8), (problem) => {
        const expected = bruteForce(problem);
        const result = solveExact(problem, { width: 2, effort: 40 });
        if (result.status === 'infeasible') {
          if (result.proven) expect(expected).toBe(Infinity);
          return;
        }
        expect(result.bound).toBeLessThanOrEqual(expected + 1e-6);
        expect(result.solution.cost).toBeGreaterThanOrEqual(expected - 1e-9);
        if (result.status === 'optimal') expect(result.solution.cost).toBeCloseTo(expected, 9);
      }),
      { numRuns: 300 },
    );
  });
});
