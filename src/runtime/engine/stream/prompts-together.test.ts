import { array, assert, boolean, constantFrom, integer, property } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { joinedPrompts, joining, promptsTogether } from './prompts-together.js';

it('makes groups that fill the rows, but for less than one row a group', () => {
  assert(
    property(integer({ min: 1, max: 2000 }), boolean(), (pictures, streamsText) => {
      const together = promptsTogether(pictures, streamsText);
      expect(together).toBeGreaterThanOrEqual(Math.min(pictures, 8));
      expect(together).toBeLessThanOrEqual(Math.max(16, Math.ceil(pictures / 2)));
      const groups = Math.ceil(pictures / together);
      expect(groups * together - pictures).toBeLessThan(groups);
    }),
  );
  expect([24, 48, 256].map((pictures) => promptsTogether(pictures, false))).toEqual([12, 16, 64]);
  expect(promptsTogether(128, true)).toBe(64);
});

describe('prompts that run together', () => {
  const picture = (length: number) => {
    const ids = Array.from({ length }, (_, token) => 7 + token);
    const prompt = { textIds: [ids], textMask: [ids.map(() => 1)], contextIds: [[0]] };
    return { made: { prompt } };
  };

  it('are as long as the first that waits, or T5’s of any length', () => {
    const lengths = array(integer({ min: 1, max: 4 }), { maxLength: 20 });
    assert(
      property(lengths, constantFrom('opt', 'llama', 't5'), (each, family) => {
        const waiting = each.map(picture);
        const found = joining(waiting, { family });
        expect(found).toEqual(waiting.filter((_, index) => family === 't5' || each[index] === each[0]));
      }),
    );
  });

  it('are padded on the right, where a mask hides it', () => {
    const joined = joinedPrompts(
      [1, 3, 2].map((length) => picture(length).made.prompt),
      99,
    );
    expect(joined.textIds).toEqual([
      [7, 99, 99],
      [7, 8, 9],
      [7, 8, 99],
    ]);
    expect(joined.textMask).toEqual([
      [1, 0, 0],
      [1, 1, 1],
      [1, 1, 0],
    ]);
    expect(joined.contextIds).toEqual([[0], [0], [0]]);
  });
});
