import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bruteForce } from '../../../test/planner/brute-force.js';
import { solveExact } from './exact.js';
import { costOf, type Item, type Problem } from './problem.js';

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
            homes: fc.array(fc.nat(resources - 1), { minLength: places, maxLength: places }),
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

/** A model as planners meet it: runs of equal blocks on equal or unequal cards, and a host that always has room. */
const cards: fc.Arbitrary<Problem> = fc
  .record({
    capacities: fc.oneof(
      fc.integer({ min: 4, max: 24 }).map((each) => [each, each]),
      fc.array(fc.integer({ min: 4, max: 24 }), { minLength: 2, maxLength: 2 }),
    ),
    runs: fc.array(
      fc.record({
        length: fc.integer({ min: 1, max: 4 }),
        bytes: fc.integer({ min: 1, max: 9 }),
        fast: fc.integer({ min: 0, max: 3 }),
        slow: fc.integer({ min: 4, max: 40 }),
        streamed: fc.integer({ min: 4, max: 40 }),
        peak: fc.integer({ min: 0, max: 3 }),
        endCost: fc.integer({ min: 0, max: 4 }),
      }),
      { minLength: 1, maxLength: 2 },
    ),
    tied: fc.boolean(),
  })
  .map(({ capacities, runs, tied }): Problem => {
    // Resident on either card, streamed to the first or the second, run by the host.
    const homes = [0, 1, 0, 1, 2];
    const none = [0, 0, 0];
    const on = (r: number, bytes: number): number[] => none.map((_, k) => (k === r ? bytes : 0));
    const blocks = runs.flatMap((run) => Array.from({ length: run.length }, () => run));
    const items = blocks.map((run, i): Item => ({
      cost: [run.fast, run.fast, run.streamed, run.streamed, run.slow],
      use: [on(0, run.bytes), on(1, run.bytes), on(0, 1), on(1, 1), none],
      peak: [on(0, run.peak), on(1, run.peak), on(0, run.bytes), on(1, run.bytes), none],
      sameAs: tied && i > 1 && i === blocks.length - 1 ? 0 : null,
      inputs:
        i === 0
          ? []
          : [
              {
                from: i - 1,
                cost: homes.map((a) => homes.map((b) => (a === b ? 0 : run.endCost * (Number(a < 2) + Number(b < 2))))),
              },
            ],
    }));
    return { places: homes.length, homes, capacities: [...capacities, 1e9], items };
  });

describe('solveExact', () => {
  it('agrees with brute force on runs of equal blocks and equal cards', () => {
    fc.assert(
      fc.property(cards, (problem) => {
        const result = solveExact(problem);
        expect(result.solution?.cost ?? Infinity).toBeCloseTo(bruteForce(problem), 9);
        expect(result.bound).toBe(result.solution?.cost);
      }),
      { numRuns: 40 },
    );
  });

  it('is not misled by floating point where a few bytes of very many are worth much', () => {
    const free = [
      [0, 0],
      [0, 0],
    ];
    const few = fc.tuple(fc.nat(3), fc.nat(3));
    const ms = fc.tuple(fc.double({ min: 0.5, max: 9, noNaN: true }), fc.double({ min: 0.5, max: 9, noNaN: true }));
    const blocks = fc.array(fc.record({ more: few, ms, length: fc.integer({ min: 1, max: 4 }) }), {
      minLength: 1,
      maxLength: 3,
    });
    fc.assert(
      fc.property(blocks, fc.integer({ min: 0, max: 12 }), fc.constantFrom(1e12, 1e14), (runs, spare, each) => {
        const items = runs
          .flatMap((run) => Array.from({ length: run.length }, () => run))
          .map((run, i): Item => ({
            cost: run.ms,
            use: run.more.map((more) => [each + more]),
            peak: [[0], [0]],
            sameAs: null,
            inputs: i === 0 ? [] : [{ from: i - 1, cost: free }],
          }));
        const problem = { places: 2, homes: [0, 0], capacities: [items.length * each + spare], items };
        expect(solveExact(problem).solution?.cost ?? Infinity).toBeCloseTo(bruteForce(problem), 9);
      }),
      { numRuns: 200 },
    );
  });

  it('has an answer and a true bound even if it is stopped at once', () => {
    fc.assert(
      fc.property(problems(7), (problem) => {
        const expected = bruteForce(problem);
        const result = solveExact(problem, { stop: () => true });
        if (expected === Infinity) {
          expect(result.solution).toBeNull();
          return;
        }
        if (result.solution === null) throw new Error('a placement fits');
        expect(result.solution.cost).toBeGreaterThanOrEqual(expected - 1e-9);
        expect(result.bound).toBeLessThanOrEqual(expected + 1e-6);
      }),
      { numRuns: 100 },
    );
  });

  it('agrees with brute force', () => {
    fc.assert(
      fc.property(problems(8), (problem) => {
        const expected = bruteForce(problem);
        const result = solveExact(problem);
        if (expected === Infinity) {
          expect(result).toMatchObject({ solution: null, bound: Infinity });
          return;
        }
        if (result.solution === null) throw new Error('a placement fits');
        expect(result.bound).toBe(result.solution.cost);
        expect(result.solution.cost).toBeCloseTo(expected, 9);
        expect(costOf(problem, result.solution.choice)).toBe(result.solution.cost);
      }),
      { numRuns: 400 },
    );
  });

  it('never gets dearer with more capacity', () => {
    fc.assert(
      fc.property(problems(14), fc.nat(20), fc.nat(2), (problem, more, r) => {
        const cost = (p: Problem): number => solveExact(p).solution?.cost ?? Infinity;
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
        if (result.solution === null) {
          if (result.bound === Infinity) expect(expected).toBe(Infinity);
          return;
        }
        expect(result.bound).toBeLessThanOrEqual(expected + 1e-6);
        expect(result.solution.cost).toBeGreaterThanOrEqual(expected - 1e-9);
        if (result.bound === result.solution.cost) expect(result.solution.cost).toBeCloseTo(expected, 9);
      }),
      { numRuns: 300 },
    );
  });
});
