import { array, assert, constant, integer, nat, oneof, property, record } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CacheRows } from './cache-rows.js';

const lengths = array(integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 4 });
/** Which sequence each of the next ones continues, as a fraction of those there are; new ones; or order among the rows. */
const changes = array(
  oneof(
    record({ kind: constant('continue' as const), parents: array(nat(99), { maxLength: 6 }) }),
    record({ kind: constant('begin' as const), lengths }),
    record({ kind: constant('settle' as const) }),
  ),
  { minLength: 1, maxLength: 12 },
);

describe('CacheRows', () => {
  it('finds every sequence in its row, as long as it is, whatever comes and goes', () => {
    assert(
      property(lengths, changes, (first, rest) => {
        const rows = new CacheRows();
        const caches = new Map<number, string[]>();
        let sequences: string[][] = [];
        const copyRow = (from: number, to: number) => void caches.set(to, [...(caches.get(from) ?? [])]);
        const begin = (news: readonly number[], name: string) => {
          const row = rows.begin(news);
          const begun = news.map((length, index) => Array.from({ length }, () => `${name}.${index}`));
          begun.forEach((tokens, index) => caches.set(row + index, [...tokens]));
          sequences = [...sequences, ...begun];
        };
        begin(first, 'first');
        for (const [step, change] of rest.entries()) {
          if (change.kind === 'begin') begin(change.lengths, `new ${step}`);
          if (change.kind === 'settle') {
            rows.settle(copyRow);
            expect(rows.used).toBe(sequences.length);
          }
          if (change.kind === 'continue') {
            const parents = sequences.length === 0 ? [] : change.parents.map((at) => at % sequences.length);
            rows.continueFrom(parents, copyRow);
            sequences = parents.map((parent, row) => [...(sequences[parent] ?? []), `${step}.${row}`]);
            rows.slots.forEach((slot, row) => {
              const kept = (caches.get(slot) ?? []).slice(0, rows.lengths[slot]);
              caches.set(slot, [...kept, `${step}.${row}`]);
            });
            rows.grow();
          }
          expect(rows.slots.map((slot) => caches.get(slot))).toEqual(sequences);
          expect(rows.slots.map((slot) => rows.lengths[slot])).toEqual(sequences.map(({ length }) => length));
          expect(new Set(rows.slots).size).toBe(sequences.length);
          expect(rows.length).toBe(Math.max(0, ...sequences.map(({ length }) => length)));
        }
      }),
    );
  });
});
