import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bruteForce } from '../../../../test/planner/brute-force.js';
import { layOut } from '../chain.js';
import { costOf, type Item, type Problem } from '../problem.js';
import { manyDevices } from './many-devices.js';
import { RestrictedMaster } from './restricted-master.js';

/** Runs of equal blocks on three cards, the first of which streams too, and a host that may be missing. */
const cards: fc.Arbitrary<Problem> = fc
  .record({
    capacities: fc.array(fc.integer({ min: 6, max: 30 }), { minLength: 3, maxLength: 3 }),
    equal: fc.boolean(),
    host: fc.boolean(),
    runs: fc.array(
      fc.record({
        length: fc.integer({ min: 1, max: 4 }),
        bytes: fc.integer({ min: 2, max: 9 }),
        fast: fc.integer({ min: 0, max: 3 }),
        slow: fc.integer({ min: 4, max: 40 }),
        streamed: fc.integer({ min: 4, max: 40 }),
        peak: fc.integer({ min: 0, max: 3 }),
        toll: fc.integer({ min: 0, max: 4 }),
      }),
      { minLength: 1, maxLength: 2 },
    ),
  })
  .map(({ capacities: [a = 6, b = 6, c = 6], equal, host, runs }): Problem => {
    const homes = [0, 1, 2, 0, 3];
    const on = (r: number, bytes: number): number[] => [0, 1, 2, 3].map((k) => (k === r ? bytes : 0));
    const blocks = runs.flatMap((run) => Array.from({ length: run.length }, () => run)).slice(0, 6);
    return {
      places: homes.length,
      homes,
      capacities: [a, b, equal ? b : c, 1e9],
      items: blocks.map((run, i): Item => ({
        cost: [run.fast, run.fast, run.fast, run.streamed, host ? run.slow : Infinity],
        use: [on(0, run.bytes), on(1, run.bytes), on(2, run.bytes), on(0, 1), on(3, 0)],
        peak: [on(0, run.peak), on(1, run.peak), on(2, run.peak), on(0, run.bytes), on(3, 0)],
        sameAs: null,
        inputs:
          i === 0
            ? []
            : [
                {
                  from: i - 1,
                  cost: homes.map((p) => homes.map((q) => (p === q ? 0 : run.toll * (Number(p < 3) + Number(q < 3))))),
                },
              ],
      })),
    };
  });

describe('manyDevices', () => {
  it('bounds every placement from below, and finds some that fit', () => {
    let found = 0;
    let possible = 0;
    fc.assert(
      fc.property(cards, (problem) => {
        const chain = layOut(problem);
        if (chain.resources < 2) return;
        const expected = bruteForce(problem);
        const { best, bound } = manyDevices(problem, chain, { cutoff: Infinity, known: null, stop: () => false });
        // Where nothing is better than the best, the bound may lie above it.
        expect(Math.min(bound, best?.cost ?? Infinity)).toBeLessThanOrEqual(expected + 1e-6);
        if (best === null) return;
        expect(costOf(problem, best.choice)).toBe(best.cost);
        expect(best.cost).toBeGreaterThanOrEqual(expected - 1e-9);
        possible += 1;
        found += best.cost <= expected + 1e-9 ? 1 : 0;
      }),
      { numRuns: 60 },
    );
    expect(found).toBeGreaterThan(0.8 * possible);
  });
});

describe('RestrictedMaster', () => {
  it('meets its rows at the least cost, and its duals prove it', () => {
    const column = fc.record({
      cost: fc.integer({ min: 1, max: 30 }),
      rows: fc.uniqueArray(fc.nat(2), { minLength: 1, maxLength: 3 }),
    });
    fc.assert(
      fc.property(fc.array(column, { minLength: 3, maxLength: 12 }), (columns) => {
        const limits = [4, 3, 2];
        const master = new RestrictedMaster(limits, 3);
        master.keepNear(Float64Array.of(0, 0, 0), Float64Array.of(50, 50, 50));
        for (const { cost, rows } of columns) master.add({ cost, rows: rows.map((row) => [row, 1]) });
        master.solve();
        const dual = limits.reduce((sum, limit, k) => sum + limit * (master.duals[k] ?? 0), 0);
        expect(master.objective).toBeCloseTo(dual, 6);
        for (const { cost, rows } of columns) {
          expect(cost - rows.reduce((sum, row) => sum + (master.duals[row] ?? 0), 0)).toBeGreaterThan(-1e-6);
        }
      }),
      { numRuns: 100 },
    );
  });
});
