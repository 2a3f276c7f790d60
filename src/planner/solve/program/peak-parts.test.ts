import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { costOf, type Item, type Problem } from '../problem.js';
import { peakParts } from './peak-parts.js';

/** Blocks on two memories; peaks up to half of what these hold, so that some parts have no room left. */
const problems: fc.Arbitrary<Problem> = fc
  .record({
    capacities: fc.tuple(fc.integer({ min: 0, max: 1000 }), fc.integer({ min: 0, max: 1000 })),
    blocks: fc.array(
      fc.record({ bytes: fc.nat(500), peaks: fc.tuple(fc.nat(500), fc.nat(500)), isClosed: fc.boolean() }),
      { minLength: 1, maxLength: 4 },
    ),
  })
  .map(({ capacities, blocks }): Problem => ({
    places: 2,
    homes: [0, 1],
    capacities,
    items: blocks.map(({ bytes, peaks: [a, b], isClosed }): Item => ({
      cost: [1, isClosed ? Infinity : 2],
      use: [
        [bytes, 0],
        [0, bytes],
      ],
      peak: [
        [a, 0],
        [0, b],
      ],
      sameAs: null,
      inputs: [],
    })),
  }));

function choicesOf({ items, places }: Problem): number[][] {
  return items.reduce<number[][]>(
    (choices) => choices.flatMap((choice) => Array.from({ length: places }, (_, p) => [...choice, p])),
    [[]],
  );
}

describe('peakParts', () => {
  it('holds every placement that fits in a part, at the same cost, and no other', () => {
    fc.assert(
      fc.property(problems, (problem) => {
        const parts = peakParts(problem);
        for (const choice of choicesOf(problem)) {
          const least = Math.min(Infinity, ...parts.map((part) => costOf(part, choice)));
          expect(least).toBe(costOf(problem, choice));
        }
      }),
    );
  });

  it('sets aside what the peaks of a part have in common', () => {
    const peaks = [
      [640, 0],
      [0, 0],
    ];
    const item: Item = {
      cost: [1, 2],
      use: [
        [100, 0],
        [0, 100],
      ],
      peak: peaks,
      sameAs: null,
      inputs: [],
    };
    const parts = peakParts({ places: 2, homes: [0, 1], capacities: [700, 1000], items: [item, item] });
    expect(parts.map(({ capacities }) => capacities)).toEqual([
      [700, 1000],
      [60, 1000],
    ]);
    expect(parts[0]?.items.map(({ cost }) => cost[0])).toEqual([Infinity, Infinity]);
  });
});
