import { array, assert, constantFrom, property, string } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StopTexts } from './stop-texts.js';

const letters = string({ unit: constantFrom('a', 'b', 'c'), maxLength: 4 });

describe('StopTexts', () => {
  it('gives all that stands before the first of the texts, however it is cut', () => {
    assert(
      property(array(letters, { maxLength: 12 }), array(letters, { maxLength: 3 }), (pieces, texts) => {
        const wanted = texts.filter((text) => text !== '');
        const stops = new StopTexts(wanted);
        const given = pieces.map((piece) => stops.push(piece)).join('') + stops.end();
        const whole = pieces.join('');
        // The first that is complete, as a reader who sees one letter after the other meets it.
        const ends = wanted.flatMap((text) => (whole.includes(text) ? [whole.indexOf(text) + text.length] : []));
        const seen = whole.slice(0, Math.min(whole.length, ...ends));
        const starts = wanted.flatMap((text) => (whole.includes(text) ? [whole.indexOf(text)] : []));
        expect(stops.text).toBe(given);
        expect(whole.startsWith(given)).toBe(true);
        if (ends.length === 0) expect(given).toBe(whole);
        else {
          expect(wanted.some((text) => given.includes(text))).toBe(false);
          expect(given.length).toBeLessThanOrEqual(seen.length);
          expect(starts).toContain(given.length);
        }
      }),
    );
  });

  it('holds nothing back that cannot be the beginning of one', () => {
    const stops = new StopTexts(['###', '\nUser']);
    expect(['a dog #', '# 1', '\nUs', 'ed', ' ##', '# no'].map((piece) => stops.push(piece))).toEqual([
      'a dog ',
      '## 1',
      '',
      '\nUsed',
      ' ',
      '',
    ]);
    expect(stops.end()).toBe('');
  });
});
