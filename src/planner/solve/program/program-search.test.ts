import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bruteForce } from '../../../../test/planner/brute-force.js';
import { MIB, problems, withEqual } from '../../../../test/planner/run-problems.js';
import { highsSolver } from '../../../highs/index.js';
import { costOf, scaled, type Item, type Problem } from '../problem.js';
import { scarceResources } from '../resources.js';
import { countProgram } from './count-program.js';
import { INTEGER_TOLERANCE } from './integer-program.js';
import { searchProgram } from './program-search.js';

const solver = await highsSolver();

describe('searchProgram', () => {
  it('finds what trying every placement finds, to the byte', () => {
    fc.assert(
      fc.property(withEqual, (problem) => {
        if (problem.items.length > 6) return;
        const expected = bruteForce(problem);
        const result = searchProgram(problem, solver, { cutoff: 1e6, stop: () => false });
        expect(result?.solution?.cost).toBeCloseTo(expected, 9);
        expect(result?.bound).toBeGreaterThanOrEqual(expected * (1 - 3 * INTEGER_TOLERANCE));
        expect(result?.bound).toBeLessThanOrEqual(expected);
      }),
      { numRuns: 60 },
    );
  });

  it('finds it where three memories can be full, within what counts as close', () => {
    fc.assert(
      fc.property(problems, fc.integer({ min: 0, max: 20 }), ({ items, capacities, ...rest }, hostMib) => {
        if (items.length > 6) return;
        const use = ({ use: rows }: Item): number[][] =>
          rows.map(([a = 0, b = 0], p) => (p < 2 ? [a, b, 0] : [a, b, Math.max(...rows.flat())]));
        const full: Problem = {
          ...rest,
          capacities: [...capacities.slice(0, 2), hostMib * MIB],
          items: items.map((item) => ({ ...item, use: use(item) })),
        };
        if (scarceResources(full).length < 3) return;
        const expected = bruteForce(full);
        const result = searchProgram(full, solver, { cutoff: 1e6, stop: () => false });
        const cost = result?.solution?.cost ?? Infinity;
        expect(cost === Infinity).toBe(expected === Infinity);
        if (cost < Infinity) expect(cost).toBeLessThanOrEqual(expected * (1 + 4e-4) + 1e-9);
        expect(result?.bound).toBeGreaterThanOrEqual(Math.min(1e6, expected) * (1 - 4e-4));
        expect(result?.bound).toBeLessThanOrEqual(expected);
      }),
      { numRuns: 100 },
    );
  });

  it('finds it whatever the costs are counted in', () => {
    fc.assert(
      fc.property(withEqual, fc.constantFrom(1e-15, 1e-9, 1e-6, 1e9, 1e15), (problem, unit) => {
        if (problem.items.length > 5) return;
        const own = scaled(problem, unit);
        const expected = bruteForce(own);
        const result = searchProgram(own, solver, { cutoff: 1e6 * unit, stop: () => false });
        expect((result?.solution?.cost ?? Infinity) / unit).toBeCloseTo(expected / unit, 5);
        expect((result?.bound ?? NaN) / unit).toBeCloseTo(expected / unit, 3);
        expect(result?.bound).toBeLessThanOrEqual(expected);
      }),
      { numRuns: 60 },
    );
  });

  it('fills memories that lack a byte for one more of blocks that are all multiples of one size', () => {
    const homes = [0, 1, 2];
    const bytes = 123_456_789;
    const none = [0, 0, 0];
    const crossing = homes.map((a) => homes.map((b) => (a === b ? 0 : 3)));
    const items = [1, 2, 1, 1, 2, 1, 2].map((size, i): Item => ({
      cost: [size, 2 * size, 10 * size],
      use: [none.with(0, size * bytes), none.with(1, size * bytes), none],
      peak: [none.with(0, bytes), none, none],
      sameAs: null,
      inputs: i === 0 ? [] : [{ from: i - 1, cost: crossing }],
    }));
    const problem: Problem = { places: 3, homes, capacities: [6 * bytes - 1, 4 * bytes - 1, 1e15], items };
    const expected = bruteForce(problem);
    const result = searchProgram(problem, solver, { cutoff: 1e6, stop: () => false });
    expect(result?.solution?.cost).toBe(expected);
    expect(result?.bound).toBeGreaterThanOrEqual(expected * (1 - 2 * INTEGER_TOLERANCE));
  });

  it('proves a placement in three memories whose order costs what the program without it cannot tell', () => {
    const homes = [0, 1, 2, 0];
    const ends = [4, 2, 3];
    const on = (r: number, mib: number): number[] => ends.map((_, k) => (k === r ? mib * MIB : 0));
    const crossing = (times: number): number[][] =>
      homes.map((a) => homes.map((b) => (a === b ? 0 : times * ((ends[a] ?? 0) + (ends[b] ?? 0)))));
    const items = [0, 1, 2, 3].map((i): Item => {
      const mib = i % 2 === 0 ? 6 : 9;
      return {
        cost: i % 2 === 0 ? [4, 2, 14, 39] : [5, 1, 7, 58],
        use: [on(0, mib), on(1, mib), on(2, mib), on(2, 0)],
        peak: [on(0, 0), on(1, 0), on(0, mib), on(0, mib)],
        sameAs: null,
        inputs: i === 0 ? [] : [{ from: i - 1, cost: crossing(i === 3 ? 2 : 1) }],
      };
    });
    const problem: Problem = { places: 4, homes, capacities: [17 * MIB, 12 * MIB, 22 * MIB], items };
    const expected = bruteForce(problem);
    const result = searchProgram(problem, solver, { cutoff: 1e6, stop: () => false });
    expect(result?.solution?.cost).toBe(expected);
    expect(result?.bound).toBeGreaterThanOrEqual(expected * (1 - 2 * INTEGER_TOLERANCE));
  });

  it('proves that nothing is cheaper than the best', () => {
    fc.assert(
      fc.property(problems, (problem) => {
        if (problem.items.length > 5) return;
        const cutoff = bruteForce(problem);
        if (cutoff === 0) return;
        const result = searchProgram(problem, solver, { cutoff, stop: () => false });
        expect(result?.solution).toBeNull();
        expect(result?.bound).toBeCloseTo(cutoff * (1 - INTEGER_TOLERANCE), 9);
      }),
      { numRuns: 30 },
    );
  });
});

describe('countProgram', () => {
  it('minimises the busiest device too', () => {
    fc.assert(
      fc.property(withEqual, (problem) => {
        if (problem.items.length > 5) return;
        const turnOf = (choice: readonly number[]): number => {
          const ms = [0, 0, 0];
          for (const [i, p] of choice.entries()) {
            const home = problem.homes[p] ?? 0;
            ms[home] = (ms[home] ?? 0) + (problem.items[i]?.cost[p] ?? Infinity);
          }
          return Math.max(...ms);
        };
        let best = Infinity;
        const visit = (choice: number[]): void => {
          if (choice.length < problem.items.length) {
            for (let p = 0; p < problem.places; p++) visit([...choice, p]);
          } else if (costOf(problem, choice) < Infinity) best = Math.min(best, turnOf(choice));
        };
        visit([]);
        const counts = countProgram(problem, { objective: 'busiest' });
        const values = counts === null ? null : solver(counts.program, { cutoff: Infinity, stop: () => false }).values;
        const choice = values === null ? [] : (counts?.choiceOf(values) ?? []);
        expect(costOf(problem, choice)).toBeLessThan(Infinity);
        expect(turnOf(choice)).toBeCloseTo(best, 5);
      }),
      { numRuns: 30 },
    );
  });

  it('is a bound where crossings are left out, and knows every placement', () => {
    fc.assert(
      fc.property(
        withEqual,
        fc.constantFrom('runs' as const, 'mixed' as const, 'stretches' as const),
        (problem, order) => {
          // Kinds that take turns: every second item of the chain is of the first kind.
          const [first, ...others] = problem.items;
          if (first === undefined) return;
          const items = problem.items.slice(0, 6).map((item, i): Item => ({
            ...(i % 2 === 0 ? first : (others[0] ?? first)),
            sameAs: null,
            inputs: item.inputs,
          }));
          const turns = { ...problem, items };
          const counts = countProgram(turns, { order });
          if (counts === null) throw new Error('crossings are sums of ends');
          const { columns, rows } = counts.program;
          const visit = (choice: number[]): void => {
            if (choice.length < items.length) {
              for (let p = 0; p < turns.places; p++) visit([...choice, p]);
              return;
            }
            const cost = costOf(turns, choice);
            if (cost === Infinity) return;
            least = Math.min(least, cost);
            if (++seen % 50 !== 0) return;
            const values = counts.valuesOf(choice);
            const value = columns.reduce((sum, column, k) => sum + column.cost * (values[k] ?? NaN), 0);
            expect(value).toBeLessThanOrEqual(cost + 1e-9);
            for (const [k, { upper }] of columns.entries()) expect(values[k]).toBeLessThanOrEqual(upper);
            for (const { columns: own, factors, low, high } of rows) {
              const sum = own.reduce((total, column, k) => total + (values[column] ?? NaN) * (factors[k] ?? NaN), 0);
              expect(sum).toBeGreaterThanOrEqual(low - 1e-9);
              expect(sum).toBeLessThanOrEqual(high + 1e-9);
            }
          };
          let least = Infinity;
          let seen = 0;
          visit([]);
          const { bound } = solver(counts.program, { cutoff: Infinity, stop: () => false });
          expect(bound).toBeLessThanOrEqual(least * (1 + INTEGER_TOLERANCE) + 1e-9);
        },
      ),
      { numRuns: 50 },
    );
  });

  it('is none where a crossing is not the sum of two ends', () => {
    const items = [0, 1].map((i): Item => ({
      cost: [1, 1, 1],
      use: [[0], [0], [0]],
      peak: [[0], [0], [0]],
      sameAs: null,
      inputs:
        i === 0
          ? []
          : [
              {
                from: 0,
                cost: [
                  [0, 1, 5],
                  [1, 0, 1],
                  [5, 1, 0],
                ],
              },
            ],
    }));
    expect(countProgram({ places: 3, homes: [0, 1, 2], capacities: [9], items })).toBeNull();
  });
});
