/** The axes of the page's chart, for whatever there is to draw. */
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { sizeScale, timeScale } from '../../web/src/view/chart-scales.js';

const SPAN = { from: 26, to: 174 };

it('times stand in their order, with two to seven round ones written, none above another', () => {
  const times = fc.array(fc.double({ min: 1, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 30 });
  fc.assert(
    fc.property(times, (all) => {
      const { ticks, at } = timeScale(all, SPAN);
      const places = all.toSorted((a, b) => b - a).map(at);
      expect(places).toEqual(places.toSorted((a, b) => a - b));
      for (const place of [...places, ...ticks.map(at)]) {
        expect(place).toBeGreaterThanOrEqual(SPAN.from);
        expect(place).toBeLessThanOrEqual(SPAN.to);
      }
      expect(ticks.length).toBeGreaterThanOrEqual(2);
      expect(ticks.length).toBeLessThanOrEqual(7);
      for (const ms of ticks) expect(String(ms).replaceAll(/[0.]/g, '').length).toBeLessThanOrEqual(2);
    }),
  );
  expect(timeScale([], SPAN).ticks).toEqual([]);
});

it('sizes have both ends written, and between them only what has room', () => {
  const GIB = 2 ** 30;
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 64 }),
      fc.integer({ min: 4, max: 400 }),
      fc.integer({ min: 200, max: 900 }),
      (first, steps, width) => {
        const [least, most] = [(first * GIB) / 8, ((first + steps) * GIB) / 8];
        const { ticks, at } = sizeScale(least, most, { from: 58, to: 58 + width });
        expect([ticks[0], ticks.at(-1)]).toEqual([least, most]);
        const places = ticks.map(at);
        for (const [i, place] of places.slice(1).entries()) expect(place - (places[i] ?? place)).toBeGreaterThan(70);
      },
    ),
  );
});
