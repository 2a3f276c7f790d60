import { describe, expect, it } from 'vitest';
import type { CaptionRecord } from '../caption-record.js';
import { Tally } from './tally.js';

describe('Tally', () => {
  const record = (text: string | null, truncated = false): CaptionRecord => ({
    file_name: 'x',
    text,
    tokens: [],
    truncated,
    error: text === null ? 'IMAGE_UNREADABLE: nothing' : '',
  });

  it.each([
    ['a red a red a red', 1],
    ['red red red', 1],
    ['the man in the man in the man in', 1],
    ['very very good', 0],
    ['a red circle and a red square and a green one', 0],
    ['redredred', 0],
    ['', 0],
  ])('%j repeats itself: %i', (text, repeated) => {
    const tally = new Tally();
    tally.add(record(text));
    expect(tally.repeated).toBe(repeated);
  });

  it('counts each picture once', () => {
    const tally = new Tally();
    for (const each of [record('a'), record(''), record(null), record('b c', true)]) tally.add(each);
    tally.add({ ...record('x'), text: null, skipped: true });
    expect(tally).toMatchObject({ captioned: 3, failed: 1, skipped: 1, empty: 1, truncated: 1, done: 5 });
  });
});
