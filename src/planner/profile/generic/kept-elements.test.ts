import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import type { CacheShape } from './cache-shape.js';
import { keptElements } from './kept-elements.js';

const count = fc.integer({ min: 0, max: 4096 });
const shape: fc.Arbitrary<CacheShape> = fc.record({
  perToken: count,
  perEncoded: count,
  fixed: count,
  fixedFloat32: count,
  window: fc.option(fc.integer({ min: 1, max: 500 })),
  compressors: fc.array(
    fc.record({
      rate: fc.integer({ min: 1, max: 128 }),
      perEntry: count,
      perWaiting: count,
      overlaps: fc.boolean(),
    }),
    { maxLength: 2 },
  ),
});
const tokens = fc.integer({ min: 1, max: 2000 });

it('are no fewer for a longer prompt or more tokens, and hold what a token reads', () => {
  fc.assert(
    fc.property(shape, tokens, tokens, tokens, count, (cache, prompt, more, later, encoded) => {
      const at = (length: number, total: number) =>
        keptElements(cache, { prompt: length, encoded, total }, 2, 'transformers');
      const now = at(prompt, prompt + later);
      expect(now.most).toBeGreaterThanOrEqual(now.read);
      expect(at(prompt + more, prompt + more + later).most).toBeGreaterThanOrEqual(now.most);
      expect(at(prompt, prompt + later + more).most).toBeGreaterThanOrEqual(now.most);
    }),
  );
});

it('of a window are a prompt as long as it is for transformers, and the window for other loaders', () => {
  const cache = { perToken: 3, perEncoded: 0, fixed: 0, fixedFloat32: 0, window: 16, compressors: [] };
  const sequence = { prompt: 1024, encoded: 0, total: 1100 };
  expect(keptElements(cache, sequence, 2, 'transformers')).toEqual({ most: 3072, read: 48 });
  expect(keptElements(cache, sequence, 2, 'blip2-run')).toEqual({ most: 48, read: 48 });
});
