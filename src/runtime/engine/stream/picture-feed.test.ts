import { setTimeout } from 'node:timers/promises';
import { array, assert, asyncProperty, integer, nat } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PictureFeed } from './picture-feed.js';

async function* given(count: number, failAt = Infinity): AsyncGenerator<number> {
  for (let number = 0; number < count; number++) {
    if (number === failAt) throw new Error('no more of them');
    yield await Promise.resolve(number);
  }
}

describe('PictureFeed', () => {
  it('hands over every picture once and in order, never more ahead than it may', async () => {
    await assert(
      asyncProperty(
        array(nat(3), { maxLength: 30 }),
        integer({ min: 1, max: 7 }),
        nat(5),
        integer({ min: 1, max: 7 }),
        async (delays, ahead, wait, atOnce) => {
          let working = 0;
          let most = 0;
          let preparing = 0;
          const prepare = async (number: number) => {
            working += 1;
            most = Math.max(most, working);
            expect(++preparing).toBeLessThanOrEqual(atOnce);
            await setTimeout(delays[number] ?? 0);
            preparing -= 1;
            if (number % 5 === 4) throw new Error(`not ${number}`);
            return number * 2;
          };
          const feed = new PictureFeed(given(delays.length), { prepare, ahead, atOnce });
          const seen: (number | string)[] = [];
          for (;;) {
            const taken = await feed.take(4, Math.min(wait, ahead, 4), wait > 0);
            if (taken === null) break;
            working -= taken.length;
            expect(taken.length).toBeLessThanOrEqual(4);
            for (const ready of taken) {
              seen.push(ready.status === 'ready' ? ready.made : `failed ${ready.given}`);
            }
          }
          expect(seen).toEqual(delays.map((_, number) => (number % 5 === 4 ? `failed ${number}` : number * 2)));
          expect(most).toBeLessThanOrEqual(ahead);
        },
      ),
      { numRuns: 30 },
    );
  });

  it('hands over what there is where the source waits for it', async () => {
    let taken = 0;
    const isTaken = (number: number) => taken > number;
    async function* answering(): AsyncGenerator<number> {
      for (let number = 0; number < 6; number++) {
        yield number;
        while (!isTaken(number)) await setTimeout(1);
      }
    }
    const feed = new PictureFeed(answering(), { prepare: (number) => Promise.resolve(number), ahead: 8 });
    const seen: number[] = [];
    for (;;) {
      const ready = await feed.take(4, 4, true);
      if (ready === null) break;
      seen.push(...ready.map(({ given: number }) => number));
      taken += ready.length;
    }
    expect(seen).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it('keeps no more of a picture that is ready than it is told', async () => {
    async function* files(): AsyncGenerator<{ index: number; bytes: string }> {
      for (const index of [0, 1]) yield await Promise.resolve({ index, bytes: `of ${index}` });
    }
    const feed = new PictureFeed<{ index: number; bytes: string }, string, { index: number }>(files(), {
      prepare: ({ index, bytes }) => (index === 0 ? Promise.resolve(bytes) : Promise.reject(new Error('broken'))),
      keep: ({ index }) => ({ index }),
      ahead: 8,
    });
    const taken = await feed.take(2, 2, true);
    expect(taken?.map((picture) => picture.given)).toEqual([{ index: 0 }, { index: 1 }]);
    expect(taken).toMatchObject([{ made: 'of 0' }, { status: 'failed' }]);
  });

  it('throws what its source throws', async () => {
    const feed = new PictureFeed(given(5, 2), { prepare: (number) => Promise.resolve(number), ahead: 8 });
    await expect(
      (async () => {
        for (;;) if ((await feed.take(1, 1, true)) === null) return;
      })(),
    ).rejects.toThrow('no more of them');
  });
});
