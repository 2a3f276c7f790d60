import { array, assert, constant, integer, nat, property, tuple } from 'fast-check';
import { expect, it } from 'vitest';
import { assignSlots } from './cache-slots.js';

/** What each row of the caches holds, as the number of the sequence that wrote it. */
function follow(rows: number, steps: readonly (readonly number[])[]): void {
  let caches = Array.from({ length: rows }, (_, row) => row);
  let slots: readonly number[] = caches.slice();
  let holds = caches.slice();
  for (const step of steps) {
    const parents = step.map((parent) => parent % slots.length);
    const expected = parents.map((parent) => holds[parent]);
    const change = assignSlots(slots, parents, rows);
    const targets = change.copies.map(({ to }) => to);
    for (const { from, to } of change.copies) {
      expect(targets).not.toContain(from);
      caches = caches.with(to, caches[from] ?? -1);
    }
    slots = change.slots;
    expect(new Set(slots).size).toBe(slots.length);
    expect(slots.map((slot) => caches[slot])).toEqual(expected);
    holds = slots.map((slot) => caches[slot] ?? -1);
  }
}

it('every sequence finds its own past, however rows end, repeat and change places', () => {
  const case_ = integer({ min: 1, max: 7 }).chain((rows) => {
    const step = array(nat({ max: 6 }), { minLength: 1, maxLength: rows });
    return tuple(constant(rows), array(step, { maxLength: 8 }));
  });
  assert(property(case_, ([rows, steps]) => follow(rows, steps)));
});

it('copies nothing where sequences only end or change places', () => {
  expect(assignSlots([0, 1, 2, 3], [3, 0, 1], 4)).toEqual({ slots: [3, 0, 1], copies: [] });
});

it('says when there are more sequences than rows', () => {
  expect(() => assignSlots([0], [0, 0], 1)).toThrow(RangeError);
});
