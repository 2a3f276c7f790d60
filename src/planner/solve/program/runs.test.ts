import { describe, expect, it } from 'vitest';
import type { Item, Problem } from '../problem.js';
import { groupsOf } from './runs.js';

describe('stretches', () => {
  const crossing = (ms: number): number[][] => [
    [0, ms],
    [ms, 0],
  ];
  const nothing = [
    [0, 0],
    [0, 0],
  ];
  /** Two kinds that take turns; `entries`: what it costs to come from the item before. */
  const turns = (entries: readonly number[]): Problem => ({
    places: 2,
    homes: [0, 1],
    capacities: [9, 9],
    items: entries.map((ms, i): Item => ({
      cost: i % 2 === 0 ? [1, 2] : [3, 4],
      use: nothing,
      peak: nothing,
      sameAs: null,
      inputs: i === 0 ? [] : [{ from: i - 1, cost: crossing(ms) }],
    })),
  });
  const stretches = (entries: readonly number[]): (readonly number[])[] =>
    groupsOf(turns(entries), 'stretches').map(({ items }) => items);

  it('have items of a few kinds that take turns', () => {
    expect(stretches([0, 5, 5, 5])).toEqual([[0, 1, 2, 3]]);
  });

  it('end where it costs otherwise to come from the item before, so that a crossing within has one price', () => {
    expect(stretches([0, 5, 5, 2])).toEqual([[0, 1, 2], [3]]);
    expect(stretches([0, 5, 5, 2, 2])).toEqual([
      [0, 1, 2],
      [3, 4],
    ]);
  });
});
