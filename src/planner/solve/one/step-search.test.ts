import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bruteForce } from '../../../../test/planner/brute-force.js';
import { costOf, type Item, type Problem } from '../problem.js';
import { StepSearch, type StepLimits } from './step-search.js';
import { stepsOf } from './steps.js';

/** Runs of equal blocks: held by a card as they are or smaller, streamed to it, or run by the host. */
const models: fc.Arbitrary<Problem> = fc
  .record({
    capacity: fc.integer({ min: 0, max: 30 }),
    runs: fc.array(
      fc.record({
        length: fc.integer({ min: 1, max: 5 }),
        bytes: fc.integer({ min: 1, max: 9 }),
        fast: fc.integer({ min: 0, max: 3 }),
        smaller: fc.integer({ min: 0, max: 20 }),
        slow: fc.oneof({ weight: 5, arbitrary: fc.integer({ min: 0, max: 40 }) }, fc.constant(Infinity)),
        streamed: fc.integer({ min: 0, max: 40 }),
        peak: fc.integer({ min: 0, max: 3 }),
        toll: fc.integer({ min: 0, max: 4 }),
      }),
      { minLength: 1, maxLength: 3 },
    ),
    tied: fc.boolean(),
    /** Whether a late block reads what an early one made. */
    reads: fc.boolean(),
  })
  .map(({ capacity, runs, tied, reads }): Problem => {
    const homes = [0, 0, 0, 1];
    const card = (bytes: number): number[] => [bytes, 0];
    const blocks = runs.flatMap((run) => Array.from({ length: run.length }, () => run)).slice(0, 6);
    const crossing = (toll: number): number[][] => homes.map((a) => homes.map((b) => (a === b ? 0 : toll)));
    const last = blocks.length - 1;
    const items = blocks.map((run, i): Item => ({
      cost: [run.fast, run.fast + run.smaller, run.streamed, run.slow],
      use: [card(run.bytes), card(Math.ceil(run.bytes / 2)), card(1), card(0)],
      peak: [card(run.peak), card(run.peak), card(run.bytes), card(0)],
      sameAs: tied && i > 1 && i === last ? 0 : null,
      inputs: [
        ...(i === 0 ? [] : [{ from: i - 1, cost: crossing(run.toll) }]),
        ...(reads && i > 3 && i === last - 1 ? [{ from: 1, cost: crossing(2 * run.toll) }] : []),
      ],
    }));
    return { places: homes.length, homes, capacities: [capacity, 1e9], items };
  });

function search(problem: Problem, limits: Partial<StepLimits> = {}): ReturnType<StepSearch['run']> {
  const steps = stepsOf(problem);
  if (steps === null) throw new Error('one resource and two devices make steps');
  const whole = { cutoff: Infinity, width: 1000, effort: 1e6, stop: () => false, ...limits };
  return new StepSearch(problem, steps, whole).run();
}

describe('StepSearch', () => {
  it('agrees with brute force', () => {
    fc.assert(
      fc.property(models, (problem) => {
        const { best, bound } = search(problem);
        expect(bound).toBe(Infinity);
        expect(best?.cost ?? Infinity).toBe(bruteForce(problem));
        if (best !== null) expect(costOf(problem, best.choice)).toBe(best.cost);
      }),
      { numRuns: 300 },
    );
  });

  it('gives a true bound when it has to stop early', () => {
    fc.assert(
      fc.property(models, fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 60 }), (problem, width, effort) => {
        const expected = bruteForce(problem);
        const { best, bound } = search(problem, { width, effort });
        expect(best?.cost ?? Infinity).toBeGreaterThanOrEqual(expected);
        expect(Math.min(bound, best?.cost ?? Infinity)).toBeLessThanOrEqual(expected + 1e-6);
      }),
      { numRuns: 200 },
    );
  });

  it('finds nothing that is no cheaper than the cutoff', () => {
    fc.assert(
      fc.property(models, (problem) => {
        const cutoff = bruteForce(problem);
        fc.pre(cutoff < Infinity);
        expect(search(problem, { cutoff }).best).toBeNull();
        expect(search(problem, { cutoff: cutoff + 1 }).best?.cost).toBe(cutoff);
      }),
      { numRuns: 100 },
    );
  });
});

describe('stepsOf', () => {
  it('takes equal blocks in a row for one step', () => {
    const free = [0, 1].map((a) => [0, 1].map((b) => (a === b ? 0 : 1)));
    const layer: Item = { cost: [1, 9], use: [[4], [0]], peak: [[1], [0]], sameAs: null, inputs: [] };
    const items = Array.from({ length: 40 }, (_, i): Item =>
      i === 0 ? layer : { ...layer, inputs: [{ from: i - 1, cost: free }] },
    );
    const steps = stepsOf({ places: 2, homes: [0, 1], capacities: [50], items });
    expect(steps?.steps.map(({ run }) => run.length)).toEqual([40]);
    expect(steps?.peaks).toEqual([0, 1]);
  });

  it('is not for two cards that can be full, nor for crossings that depend on more than devices', () => {
    const item: Item = { cost: [1, 1], use: [[4, 0], [0, 4]], peak: [[0, 0], [0, 0]], sameAs: null, inputs: [] }; // prettier-ignore
    const lopsided = { ...item, inputs: [{ from: 0, cost: [[0, 1], [2, 0]] }] }; // prettier-ignore
    expect(stepsOf({ places: 2, homes: [0, 1], capacities: [5, 5], items: [item, item] })).toBeNull();
    expect(stepsOf({ places: 2, homes: [0, 1], capacities: [5, 9], items: [item, lopsided] })).toBeNull();
  });
});
