import { assert, boolean, integer, property } from 'fast-check';
import { expect, it } from 'vitest';
import { promptsTogether } from './prompts-together.js';

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
