import { array, assert, integer, nat, property } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CacheRows } from './cache-rows.js';

/** For each step, the sequence that each of the next ones continues, as a fraction of those there are. */
const steps = array(array(nat(99), { minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 8 });
const prompts = array(integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 4 });

describe('CacheRows', () => {
  it('finds every sequence in its row, as long as it is', () => {
    assert(
      property(prompts, steps, (lengths, changes) => {
        const rows = new CacheRows(lengths);
        let sequences = lengths.map((length, prompt) => Array.from({ length }, () => `prompt ${prompt}`));
        const caches = new Map(sequences.map((tokens, row) => [row, [...tokens]]));
        for (const [step, change] of changes.entries()) {
          const parents = change.map((at) => at % sequences.length);
          rows.continueFrom(parents, (from, to) => caches.set(to, [...(caches.get(from) ?? [])]));
          sequences = parents.map((parent, row) => [...(sequences[parent] ?? []), `${step}.${row}`]);
          rows.slots.forEach((slot, row) => {
            const kept = (caches.get(slot) ?? []).slice(0, rows.lengths[slot]);
            caches.set(slot, [...kept, `${step}.${row}`]);
          });
          rows.grow();
          expect(rows.slots.map((slot) => caches.get(slot))).toEqual(sequences);
          expect(rows.slots.map((slot) => rows.lengths[slot])).toEqual(sequences.map(({ length }) => length));
          expect(new Set(rows.slots).size).toBe(sequences.length);
        }
      }),
    );
  });
});
