import { setTimeout } from 'node:timers/promises';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readAhead } from './read-ahead.js';

async function* numbers(count: number, taken: number[] = []): AsyncGenerator<number, void> {
  for (let number = 0; number < count; number++) {
    await setTimeout(0);
    taken.push(number);
    yield number;
  }
}

const COUNTED = { mostBytes: Infinity, bytesOf: () => 0 };

describe('a source that is read ahead', () => {
  it('gives the same, in the same order, and never has more waiting than it may', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(12), fc.integer({ min: 1, max: 5 }), async (count, most) => {
        const taken: number[] = [];
        const ahead = readAhead(numbers(count, taken), { ...COUNTED, most });
        const given: number[] = [];
        for (let next = await ahead.next(); next.done !== true; next = await ahead.next()) {
          given.push(next.value);
          expect(taken.length - given.length).toBeLessThanOrEqual(most);
        }
        expect(given).toEqual(Array.from({ length: count }, (_, number) => number));
        expect((await ahead.next()).done).toBe(true);
      }),
      { numRuns: 30 },
    );
  });

  it('has several there at once after a while', async () => {
    const taken: number[] = [];
    const ahead = readAhead(numbers(6, taken), { ...COUNTED, most: 3 });
    await ahead.next();
    while (taken.length < 4) await setTimeout(1);
    await setTimeout(1);
    let given = 0;
    for (let isNow = true; isNow;) {
      const next = ahead.next();
      isNow = await Promise.race([
        next.then(() => true),
        Promise.resolve()
          .then(() => Promise.resolve())
          .then(() => false),
      ]);
      if (isNow) given += 1;
    }
    expect(given).toBe(3);
  });

  it('is not read on where what waits has its bytes', async () => {
    const taken: number[] = [];
    const ahead = readAhead(numbers(9, taken), { most: 8, mostBytes: 25, bytesOf: () => 10 });
    await ahead.next();
    while (taken.length < 4) await setTimeout(1);
    await setTimeout(20);
    expect(taken).toEqual([0, 1, 2, 3]);
    await ahead.next();
    await ahead.next();
    while (taken.length < 5) await setTimeout(1);
  });

  it('fails after what was read before', async () => {
    async function* failing() {
      yield* numbers(2);
      throw new Error('the disk is gone');
    }
    const ahead = readAhead(failing(), { ...COUNTED, most: 8 });
    await setTimeout(20);
    expect((await ahead.next()).value).toBe(0);
    expect((await ahead.next()).value).toBe(1);
    await expect(ahead.next()).rejects.toThrow('the disk is gone');
    expect((await ahead.next()).done).toBe(true);
  });
});
