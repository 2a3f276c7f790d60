import { array, assert, constant, double, integer, oneof, property } from 'fast-check';
import { expect, it } from 'vitest';
import { applySamplingFilters } from './sampling-filters.js';
import { wholeRow } from './score-row.js';
import { softmax } from './softmax.js';

/** Few different scores, or any. */
const rows = oneof(
  array(oneof(integer({ min: -3, max: 3 }), constant(-Infinity)), { minLength: 1, maxLength: 40 }),
  array(double({ min: -20, max: 20, noNaN: true }), { minLength: 1, maxLength: 40 }),
)
  .map((scores) => Float32Array.from(scores))
  .filter((scores) => scores.some((score) => score > -Infinity));

it('keeps the k likeliest, and those that are as likely as the k-th', () => {
  assert(
    property(rows, integer({ min: 1, max: 50 }), (scores, topK) => {
      const least = scores.toSorted().at(-topK) ?? -Infinity;
      const kept = scores.slice();
      applySamplingFilters(wholeRow(kept), { temperature: 1, topK, topP: 1 });
      expect(kept).toEqual(scores.map((score) => (score < least ? -Infinity : score)));
    }),
    { numRuns: 1000 },
  );
});

it('drops one after the other from the unlikeliest on, as long as they sum to no more than 1 - p', () => {
  assert(
    property(rows, double({ min: 0, max: 0.999, noNaN: true }), (scores, topP) => {
      const probabilities = softmax(scores);
      const possible = [...scores.keys()].filter((id) => (scores[id] ?? NaN) > -Infinity);
      const ascending = possible.toSorted((a, b) => (scores[a] ?? NaN) - (scores[b] ?? NaN));
      const expected = scores.slice();
      let sum = 0;
      for (const id of ascending.slice(0, -1)) {
        sum += probabilities[id] ?? NaN;
        // Which side rounding falls to says nothing.
        if (Math.abs(sum - (1 - topP)) < 1e-12) return;
        if (sum > 1 - topP) break;
        expected[id] = -Infinity;
      }
      const kept = scores.slice();
      applySamplingFilters(wholeRow(kept), { temperature: 1, topK: 0, topP });
      expect(kept).toEqual(expected);
    }),
    { numRuns: 2000 },
  );
});
