import { setTimeout } from 'node:timers/promises';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Blip2Error } from '../../errors.js';
import type { CaptionWorker, HandedPicture } from '../run/caption-pictures.js';
import { ShardJob } from '../run/shard-job.js';
import type { HandedShard, ShardGiver } from './shard-giver.js';
import { workOnShards, type WorkOptions } from './work-on-shards.js';

const PICTURES = 4;
const saysNames: CaptionWorker = {
  async *caption(pictures, signal) {
    for await (const { source } of pictures) {
      await setTimeout(0, undefined, { signal });
      yield { status: 'captioned', answers: [{ text: String(source), ids: [1], finish: 'stop', score: null }] };
    }
  },
  [Symbol.asyncDispose]: () => Promise.resolve(),
};

/** Hands out so many shards, and notes each answer. */
class Notes implements ShardGiver {
  readonly answers: string[] = [];
  readonly abandon = new Map<number, () => void>();
  #next = 0;
  readonly #shards: number;

  constructor(shards: number) {
    this.#shards = shards;
  }

  next(): Promise<HandedShard | undefined> {
    if (this.#next === this.#shards) return Promise.resolve(undefined);
    const shard = this.#next++;
    const note = (what: string) => (this.answers.push(`${shard} ${what}`), Promise.resolve());
    return Promise.resolve({
      shard,
      done: (tally) => note(tally === null ? 'was done' : `done ${tally.captioned}`),
      fail: ({ code }) => note(code),
      giveBack: () => note('returned'),
      onLost: (abandon) => void this.abandon.set(shard, abandon),
    });
  }
}

function options(giver: ShardGiver, others: Partial<WorkOptions> = {}): WorkOptions {
  return {
    giver,
    open: ({ shard }) => {
      const pictures = Array.from({ length: PICTURES }, (_, at) => ({ name: `${shard}-${at}`, beneath: `${at}` }));
      return ShardJob.open({ shard, first: shard * PICTURES, pictures });
    },
    write: ({ records }) => Promise.resolve(records),
    ahead: 6,
    stopping: new AbortController().signal,
    signal: new AbortController().signal,
    workers: 1,
    openWorker: () => Promise.resolve(saysNames),
    onRecord: () => undefined,
    ...others,
  };
}

const full = () => Promise.reject(new Blip2Error('DISK_FULL', 'the disk is full'));

describe('workOnShards', () => {
  it('answers for every shard once, whatever fails on the way', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom('good', 'there', 'bad'), { maxLength: 12 }),
        fc.integer({ min: 1, max: 3 }),
        async (kinds, workers) => {
          // Three in a row would end the work, which is another case.
          fc.pre(kinds.filter((kind) => kind === 'bad').length < 3);
          const giver = new Notes(kinds.length);
          const all = options(giver);
          await workOnShards({
            ...all,
            workers,
            open: (shard) => (kinds[shard.shard] === 'there' ? Promise.resolve(null) : all.open(shard)),
            write: ({ shard, records }) => (kinds[shard] === 'bad' ? full() : Promise.resolve(records)),
          });
          const expected = kinds.map((kind, shard) =>
            kind === 'there' ? `${shard} was done` : kind === 'bad' ? `${shard} DISK_FULL` : `${shard} done 4`,
          );
          expect(giver.answers.toSorted()).toEqual(expected.toSorted());
        },
      ),
      { numRuns: 40 },
    );
  });

  it('ends where three shards in a row fail, and fails what is in hand, too', async () => {
    const giver = new Notes(50);
    await expect(workOnShards(options(giver, { write: full }))).rejects.toMatchObject({ code: 'DISK_FULL' });
    expect(giver.answers.length).toBeLessThan(10);
    expect(new Set(giver.answers.map((answer) => answer.split(' ')[1]))).toEqual(new Set(['DISK_FULL']));
  });

  it.each(['RUN_DIFFERS', 'RUN_MISSING'] as const)('gives all back where it is told %s', async (code) => {
    const giver = new Notes(9);
    const gone = () => Promise.reject(new Blip2Error(code, 'the folder is of another run'));
    await expect(workOnShards(options(giver, { write: gone }))).rejects.toMatchObject({ code });
    expect(giver.answers.length).toBeGreaterThan(0);
    expect(giver.answers.every((answer) => answer.endsWith('returned'))).toBe(true);
  });

  it('finishes what it has where it is to stop, and gives it back where it is to stop at once', async () => {
    const stop = new AbortController();
    const giver = new Notes(50);
    const onRecord = () => stop.abort(new Error('stop'));
    await workOnShards(options(giver, { onRecord, stopping: stop.signal }));
    expect(giver.answers.length).toBeGreaterThan(0);
    expect(giver.answers.every((answer) => answer.endsWith('done 4'))).toBe(true);

    const now = new AbortController();
    const others = new Notes(50);
    const both = { onRecord: () => now.abort(new Error('now')), stopping: now.signal, signal: now.signal };
    await expect(workOnShards(options(others, both))).rejects.toThrow('now');
    expect(others.answers).toContain('0 returned');
  });

  it('writes nothing of a shard that somebody else has been given', async () => {
    const giver = new Notes(3);
    const written: number[] = [];
    const onRecord = () => giver.abandon.get(0)?.();
    const write: WorkOptions['write'] = ({ shard, records }) => (written.push(shard), Promise.resolve(records));
    await workOnShards(options(giver, { onRecord, write }));
    expect(written).toEqual([1, 2]);
    expect(giver.answers).toEqual(['1 done 4', '2 done 4']);
  });

  it('gives a model that starts again the shard that came back, while its ended one still asks for another', async () => {
    const giver = new Notes(2);
    const dies: CaptionWorker = {
      ...saysNames,
      // eslint-disable-next-line require-yield -- it ends before it has captioned any
      async *caption(pictures) {
        const taken = pictures[Symbol.asyncIterator]();
        for (let picture = 0; picture < PICTURES; picture++) await taken.next();
        void taken.next();
        throw new Blip2Error('PROCESS_ENDED', 'it has ended');
      },
    };
    let lives = 0;
    const openWorker = () => Promise.resolve(lives++ === 0 ? dies : saysNames);
    await workOnShards(options(giver, { ahead: PICTURES, openWorker }));
    expect(giver.answers).toEqual([`0 done ${PICTURES}`, `1 done ${PICTURES}`]);
  });

  it('gives it what its ended one asked for, though it waits for another itself', async () => {
    const giver = new Notes(2);
    let lives = 0;
    const readsAhead: CaptionWorker = {
      ...saysNames,
      async *caption(pictures, signal) {
        const dies = lives === 1;
        const taken = pictures[Symbol.asyncIterator]();
        const open: HandedPicture[] = [];
        for (let picture = 0; picture < PICTURES; picture++) {
          const { value, done } = await taken.next();
          if (done !== true) open.push(value);
        }
        // Before any of these is answered.
        const next = taken.next();
        if (dies) throw new Blip2Error('PROCESS_ENDED', 'it has ended');
        yield* saysNames.caption(handed(open), signal);
        const { value, done } = await next;
        if (done !== true) yield* saysNames.caption(handed([value], taken), signal);
      },
    };
    const openWorker = () => {
      lives += 1;
      return Promise.resolve(readsAhead);
    };
    await workOnShards(options(giver, { ahead: PICTURES, openWorker }));
    expect(giver.answers).toEqual([`0 done ${PICTURES}`, `1 done ${PICTURES}`]);
  });
});

async function* handed(pictures: readonly HandedPicture[], others?: AsyncIterator<HandedPicture>) {
  yield* pictures;
  for (let next = await others?.next(); next !== undefined && next.done !== true; next = await others?.next())
    yield next.value;
}
