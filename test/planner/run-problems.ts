/** Small problems for programs of counts, at random. */
import * as fc from 'fast-check';
import type { Item, Problem } from '../../src/planner/solve/problem.js';

export const MIB = 2 ** 20;

/** Runs of equal blocks on two cards and a host, all bytes in uneven numbers near whole MiB, a skip and a bond now and then. */
export const problems: fc.Arbitrary<Problem> = fc
  .record({
    capacities: fc.array(fc.integer({ min: 2, max: 20 }), { minLength: 2, maxLength: 2 }),
    runs: fc.array(
      fc.record({
        length: fc.integer({ min: 1, max: 4 }),
        bytes: fc.integer({ min: 1, max: 9 }),
        fast: fc.tuple(fc.nat(3), fc.nat(3)),
        slow: fc.integer({ min: 4, max: 40 }),
        streamed: fc.tuple(fc.integer({ min: 4, max: 40 }), fc.integer({ min: 4, max: 40 })),
        peak: fc.nat(3),
        ends: fc.tuple(fc.nat(4), fc.nat(4), fc.nat(4)),
      }),
      { minLength: 1, maxLength: 3 },
    ),
    tied: fc.boolean(),
    skip: fc.boolean(),
  })
  .map(({ capacities, runs, tied, skip }): Problem => {
    const homes = [0, 1, 0, 1, 2];
    const on = (r: number, mib: number): number[] => [0, 1, 2].map((k) => (k === r ? mib * (MIB + 7) : 0));
    const blocks = runs.flatMap((run) => Array.from({ length: run.length }, () => run)).slice(0, 7);
    const crossing = ([a, b, c]: readonly [number, number, number]): number[][] => {
      const ends = [a, b, a, b, c];
      return homes.map((from, p) => homes.map((to, q) => (from === to ? 0 : (ends[p] ?? 0) + (ends[q] ?? 0))));
    };
    const items = blocks.map((run, i): Item => ({
      cost: [...run.fast, ...run.streamed, run.slow],
      use: [on(0, run.bytes), on(1, run.bytes), on(0, 1), on(1, 1), [0, 0, 0]],
      peak: [on(0, run.peak), on(1, run.peak), on(0, run.bytes), on(1, run.bytes), [0, 0, 0]],
      sameAs: tied && i > 1 && i === blocks.length - 1 ? 0 : null,
      inputs: [
        ...(i > 0 ? [{ from: i - 1, cost: crossing(blocks[i - 1]?.ends ?? run.ends) }] : []),
        ...(skip && i === 3 ? [{ from: 0, cost: crossing(run.ends) }] : []),
      ],
    }));
    return { places: homes.length, homes, capacities: [...capacities.map((mib) => mib * MIB), 1e15], items };
  });

/** The same with a second card like the first. */
function withEqualCards(problem: Problem): Problem {
  const [capacity = 0, , host = 0] = problem.capacities;
  const even = problem.homes.map((from) => problem.homes.map((to) => (from === to ? 0 : 3)));
  const items = problem.items.map(({ cost: [fast = 0, , streamed = 0, , slow = 0], inputs, ...item }): Item => ({
    ...item,
    cost: [fast, fast, streamed, streamed, slow],
    inputs: inputs.map(({ from }) => ({ from, cost: even })),
  }));
  return { ...problem, capacities: [capacity, capacity, host], items };
}

export const withEqual: fc.Arbitrary<Problem> = fc
  .tuple(problems, fc.boolean())
  .map(([own, equal]) => (equal ? withEqualCards(own) : own));
