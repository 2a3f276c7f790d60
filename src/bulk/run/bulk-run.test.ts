import { appendFile, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Blip2Error } from '../../errors.js';
import type { CaptionRecord } from '../caption-record.js';
import type { InputPicture } from '../inputs/input-picture.js';
import { TemporaryFile } from '../../loader/write/temporary-file.js';
import { JsonlOutput } from '../outputs/jsonl-output.js';
import type { FinishedShard } from './shard-output.js';
import { runBulk, type BulkOptions } from './bulk-run.js';
import type { CaptionWorker, HandedPicture, Outcome } from './caption-pictures.js';
import { RunFolder } from './run-folder.js';

let scratch: string;
beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'blip2-bulk-run-test-'));
});
afterEach(() => rm(scratch, { recursive: true, force: true }));

async function* named(count: number): AsyncGenerator<InputPicture> {
  for (let index = 0; index < count; index++) yield await Promise.resolve({ name: `p${index}`, beneath: `p${index}` });
}

const captioned = (text: string): Outcome => ({
  status: 'captioned',
  answers: [{ text, ids: [1, 2], finish: 'stop', score: null }],
});

const died = () => new Blip2Error('PROCESS_ENDED', 'the process that holds the model has ended: signal SIGKILL');

/** A model that says the name of each picture, `ahead` of whose outcomes it has taken more. */
function sayNames({ source, randomStream }: HandedPicture): Outcome {
  if (String(source).endsWith('3')) {
    return { status: 'failed', error: new Blip2Error('IMAGE_UNREADABLE', `${String(source)} cannot be read`) };
  }
  return captioned(`${String(source)} ${randomStream}`);
}

type Fate = (picture: HandedPicture) => boolean;

function worker(ahead: number, dies: Fate = () => false): CaptionWorker {
  return {
    async *caption(pictures, signal) {
      const taken: HandedPicture[] = [];
      for await (const picture of pictures) {
        signal.throwIfAborted();
        taken.push(picture);
        if (taken.length <= ahead) continue;
        await setTimeout(0);
        yield answer(taken, dies);
      }
      while (taken.length > 0) yield answer(taken, dies);
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

function answer(taken: HandedPicture[], dies: Fate): Outcome {
  const picture = taken.shift();
  if (picture === undefined) throw new Error('nothing was taken');
  if (dies(picture)) throw died();
  return sayNames(picture);
}

function options(out: string, others: Partial<BulkOptions>): BulkOptions {
  const folder = new RunFolder(join(scratch, out), 'jsonl');
  return {
    folder,
    output: new JsonlOutput(folder),
    inputs: named(47),
    settings: { prompt: null },
    shardSize: 5,
    takesOtherInputs: false,
    slice: { index: 0, count: 1 },
    retryFailed: false,
    workers: 1,
    openWorker: () => Promise.resolve(worker(3)),
    signal: new AbortController().signal,
    onProgress: () => undefined,
    ...others,
  };
}

async function texts(out: string): Promise<string[]> {
  const names = (await readdir(join(scratch, out))).filter((name) => name.endsWith('.jsonl')).toSorted();
  return Promise.all(names.map((name) => readFile(join(scratch, out, name), 'utf8')));
}

async function records(out: string): Promise<CaptionRecord[]> {
  const lines = (await texts(out)).flatMap((text) => text.trimEnd().split('\n'));
  return lines.map((line) => JSON.parse(line) as CaptionRecord);
}

async function untilFinished(out: string, shard: number): Promise<void> {
  const name = String(shard).padStart(5, '0');
  const isThere = async () => (await readdir(join(scratch, out))).includes(`${name}.jsonl`);
  const isOnTheWay = async () =>
    (await readdir(join(scratch, out, '.blip2-run'))).some((each) => each.startsWith(name));
  while (!(await isThere()) || (await isOnTheWay())) await setTimeout(1);
}

function gate(): { readonly opened: Promise<void>; readonly open: () => void } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open: () => open() };
}

describe('runBulk', () => {
  it('writes the same with any workers, however often they die', async () => {
    await runBulk(options('calm', {}));
    const expected = await texts('calm');
    expect(expected).toHaveLength(10);
    let runs = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 4 }),
        fc.nat(12),
        fc.infiniteStream(fc.nat(25)),
        async (workers, ahead, fates) => {
          const out = `run${runs++}`;
          const seen = new Map<unknown, number>();
          const dies: Fate = ({ source }) => {
            const deaths = seen.get(source) ?? 0;
            // With a third one, a picture that was in flight each time would be given up.
            if (deaths >= 1 || seen.size > 1 || fates.next().value !== 0) return false;
            seen.set(source, deaths + 1);
            return true;
          };
          const openWorker = () => Promise.resolve(worker(ahead, dies));
          const { tally, shardsLeft } = await runBulk(options(out, { workers, openWorker }));
          expect(shardsLeft).toBe(0);
          expect(tally).toMatchObject({ captioned: 42, failed: 5 });
          const written = await records(out);
          expect(written.map(({ file_name }) => file_name)).toEqual(
            Array.from({ length: 47 }, (_, index) => `p${index}`),
          );
          expect(await texts(out)).toEqual(expected);
        },
      ),
      { numRuns: 40 },
    );
  });

  it('gives up the picture that kills its workers, and no other', async () => {
    const dies: Fate = ({ source }) => source === 'p17';
    for (const workers of [1, 2, 3, 4]) {
      const openWorker = () => Promise.resolve(worker(30, dies));
      const writes: number[] = [];
      const output = {
        write: ({ shard, records: all }: FinishedShard) => (writes.push(shard), Promise.resolve(all)),
      };
      const { tally } = await runBulk(options(`out${workers}`, { workers, openWorker, output }));
      expect(writes.toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
      expect(tally).toMatchObject({ captioned: 41, failed: 6 });
      const written = await records(`out${workers}`);
      expect(written[17]?.error).toContain('signal SIGKILL');
      expect(written.filter(({ error }) => error.startsWith('WORKER_DIED: '))).toHaveLength(1);
    }
    const again = options('out1', { retryFailed: true });
    expect((await runBulk(again)).tally).toMatchObject({ captioned: 42, failed: 5 });
  });

  it('captions few pictures alone for one that kills its workers, however many they have in hand', async () => {
    const { caption, ...rest } = worker(150, ({ source }) => source === 'p17');
    const given: number[] = [];
    const counting: CaptionWorker = {
      ...rest,
      caption: (pictures, signal) => {
        const call = given.push(0) - 1;
        const counted = async function* () {
          for await (const picture of pictures) {
            given[call] = (given[call] ?? 0) + 1;
            yield picture;
          }
        };
        return caption(counted(), signal);
      },
    };
    const openWorker = () => Promise.resolve(counting);
    const { tally } = await runBulk(options('out', { inputs: named(200), shardSize: 200, openWorker }));
    expect(tally).toMatchObject({ captioned: 179, failed: 21 });
    expect(given[0]).toBeGreaterThan(150);
    expect(given.filter((pictures) => pictures === 1).length).toBeLessThanOrEqual(32);
  });

  it('ends where workers die of no picture', async () => {
    let opened = 0;
    const openWorker = () => {
      opened += 1;
      return Promise.resolve(worker(0, () => true));
    };
    await expect(runBulk(options('out', { inputs: named(400), openWorker }))).rejects.toMatchObject({
      code: 'PROCESS_ENDED',
    });
    expect(opened).toBeLessThan(20);
  });

  it('starts a model again that ends before it is there, and ends where none ever is', async () => {
    let opened = 0;
    const rarely = () => (opened++ % 3 === 2 ? Promise.resolve(worker(2)) : Promise.reject(died()));
    expect((await runBulk(options('out', { workers: 2, openWorker: rarely }))).tally.done).toBe(47);
    opened = 0;
    const never = () => ((opened += 1), Promise.reject(died()));
    await expect(runBulk(options('none', { openWorker: never }))).rejects.toMatchObject({ code: 'PROCESS_ENDED' });
    expect(opened).toBe(3);
    const fails = () => Promise.reject(new Blip2Error('GPU_MISSING', 'no GPU'));
    await expect(runBulk(options('gpu', { openWorker: fails }))).rejects.toMatchObject({ code: 'GPU_MISSING' });
  });

  it.each([0, 4, 9])('ends where shard %i cannot be written, whatever else is', async (bad) => {
    const output = {
      write: async ({ shard, records: all }: FinishedShard) => {
        await setTimeout(5);
        if (shard === bad) throw new Blip2Error('DISK_FULL', 'the disk is full');
        return all;
      },
    };
    await expect(runBulk(options('out', { workers: 2, output }))).rejects.toMatchObject({ code: 'DISK_FULL' });
    expect((await runBulk(options('out', {}))).tally.done).toBe(47);
    await runBulk(options('calm', {}));
    expect(await texts('out')).toEqual(await texts('calm'));
  });

  it('goes on with the pictures that a stopped run has captioned, even where it was stopped while it wrote', async () => {
    const stop = new AbortController();
    let asked: unknown[] = [];
    const openWorker = () => Promise.resolve(worker(0, ({ source }) => (asked.push(source), false)));
    const stopped = options('out', {
      signal: stop.signal,
      shardSize: 20,
      openWorker,
      onProgress: ({ done }) => done === 27 && stop.abort(new Error('stopped')),
    });
    await expect(runBulk(stopped)).rejects.toThrow('stopped');
    expect(await texts('out')).toHaveLength(1);
    const state = join(scratch, 'out/.blip2-run');
    const name = (await readdir(state)).find((each) => /^00001\..*journal$/.test(each)) ?? '';
    const journal = join(state, name);
    expect((await readFile(journal, 'utf8')).split('\n').length).toBeGreaterThan(5);
    await appendFile(journal, '{"position": 9, "record": {"file_na');
    asked = [];
    const { tally } = await runBulk(options('out', { shardSize: 20, openWorker }));
    expect(tally.done).toBe(47);
    expect(asked.length).toBeLessThanOrEqual(20);
    await runBulk(options('calm', { shardSize: 20 }));
    expect(await texts('out')).toEqual(await texts('calm'));
    expect((await readdir(join(scratch, 'out/.blip2-run'))).toSorted()).toEqual(['inputs.jsonl', 'run.json']);
  });

  it('captions what a stopped run has captioned again where its file is another one now', async () => {
    const paths = Array.from({ length: 9 }, (_, index) => join(scratch, `${index}.png`));
    for (const path of paths) await writeFile(path, 'old');
    const tar = join(scratch, 'a.tar');
    await writeFile(tar, 'old'.padEnd(512));
    const inputs = async function* (): AsyncGenerator<InputPicture> {
      yield await Promise.resolve({ name: 'member.png', tar, offset: 0, size: 3 });
      for (const path of paths) yield { name: path, beneath: path };
    };
    const asked: string[] = [];
    const reads: CaptionWorker = {
      async *caption(pictures, signal) {
        for await (const { source } of pictures) {
          signal.throwIfAborted();
          asked.push(typeof source === 'string' ? source : 'member.png');
          const bytes = typeof source === 'string' ? await readFile(source) : Buffer.from(source);
          yield captioned(bytes.toString());
        }
      },
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
    const all = () => ({ inputs: inputs(), shardSize: 20, openWorker: () => Promise.resolve(reads) });
    const stop = new AbortController();
    const onProgress = ({ done }: { readonly done: number }) => done === 6 && stop.abort(new Error('stopped'));
    await expect(runBulk(options('out', { ...all(), signal: stop.signal, onProgress }))).rejects.toThrow('stopped');
    await rm(paths[0] ?? '');
    for (const path of [tar, ...paths.slice(1)]) await writeFile(path, 'newer'.padEnd(path === tar ? 512 : 5));
    asked.length = 0;
    await runBulk(options('out', all()));
    expect(asked).toEqual(['member.png', ...paths.slice(1)]);
    expect((await records('out')).map(({ text }) => text)).toEqual(['new', 'old', ...Array(8).fill('newer')]);
  });

  it('ends with what a worker throws that is no death, and keeps what is whole', async () => {
    const openWorker = () => Promise.resolve(worker(0, ({ source }) => source === 'p33' && fail()));
    const fail = (): never => {
      throw new Blip2Error('OUT_OF_MEMORY', 'no memory');
    };
    await expect(runBulk(options('out', { workers: 2, openWorker }))).rejects.toMatchObject({ code: 'OUT_OF_MEMORY' });
    expect((await texts('out')).length).toBeGreaterThanOrEqual(5);
    expect((await runBulk(options('out', {}))).tally.done).toBe(47);
  });

  it('refuses a folder whose run it cannot read, inputs without a picture, and other pictures', async () => {
    await runBulk(options('out', {}));
    await expect(runBulk(options('out', { inputs: named(48) }))).rejects.toMatchObject({ code: 'RUN_DIFFERS' });
    await expect(runBulk(options('out', { settings: { prompt: 'a' } }))).rejects.toMatchObject({ code: 'RUN_DIFFERS' });
    await expect(runBulk(options('empty', { inputs: named(0) }))).rejects.toMatchObject({ code: 'INPUT_EMPTY' });
    for (const text of ['', '{}', '{"version": 2}', 'null']) {
      await writeFile(join(scratch, 'out/.blip2-run/run.json'), text);
      await expect(runBulk(options('out', {}))).rejects.toMatchObject({ code: 'RUN_INVALID' });
    }
    const unreadable = (async function* () {
      yield* named(0);
      throw await Promise.resolve(new Blip2Error('INPUT_INVALID', 'the list cannot be read'));
    })();
    await expect(runBulk(options('empty', { inputs: unreadable }))).rejects.toMatchObject({ code: 'INPUT_INVALID' });
    expect(await readdir(scratch)).toEqual(['out']);
  });

  it('runs failed pictures again where each record is of its picture, and nowhere else', async () => {
    await runBulk(options('out', {}));
    const file = join(scratch, 'out/00000.jsonl');
    const whole = await readFile(file, 'utf8');
    const rows = whole.trimEnd().split('\n');
    const others = [rows.slice(1), rows.slice(0, -1), [...rows, ...rows], rows.toReversed(), ['{}', ...rows.slice(1)]];
    for (const text of ['', '\n', ...others.map((each) => `${each.join('\n')}\n`)]) {
      await writeFile(file, text);
      const again = runBulk(options('out', { retryFailed: true }));
      await expect(again).rejects.toMatchObject({ code: 'RUN_INVALID', details: { file } });
      expect(await readFile(file, 'utf8')).toBe(text);
    }
    const corrected = whole.replace('"text":"p0 0"', '"text":"corrected"');
    await writeFile(file, corrected);
    expect((await runBulk(options('out', { retryFailed: true }))).tally).toMatchObject({ captioned: 42, failed: 5 });
    expect(await readFile(file, 'utf8')).toBe(corrected);
  });

  it('writes nothing into its folder once another run is in its place', async () => {
    const says: CaptionWorker = {
      async *caption(pictures) {
        for await (const { source } of pictures) yield captioned(`other ${String(source)}`);
      },
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
    const other = { settings: { prompt: 'other' }, openWorker: () => Promise.resolve(says) };
    const openWorker = () => Promise.reject(new Blip2Error('OUT_OF_MEMORY', 'no room'));
    await expect(runBulk(options('other', { ...other, openWorker }))).rejects.toThrow();
    let asked = 0;
    const swaps: CaptionWorker = {
      ...says,
      async *caption(pictures) {
        for await (const picture of pictures) {
          if (++asked === 8) {
            await untilFinished('out', 0);
            await rename(join(scratch, 'out'), join(scratch, 'old'));
            await rename(join(scratch, 'other'), join(scratch, 'out'));
          }
          yield sayNames(picture);
        }
      },
    };
    const disturbed = runBulk(options('out', { openWorker: () => Promise.resolve(swaps) }));
    await expect(disturbed).rejects.toMatchObject({ code: 'RUN_DIFFERS' });
    expect(await texts('out')).toEqual([]);
    expect((await runBulk(options('out', other))).shardsLeft).toBe(0);
    const expected = Array.from({ length: 47 }, (_, index) => `other p${index}`);
    expect((await records('out')).map(({ text }) => text)).toEqual(expected);
  });

  it('counts what was written of a picture, not what was made of it', async () => {
    const gone = 'IMAGE_NOT_FOUND: it went while its shard was captioned';
    const output = {
      write: (shard: FinishedShard) =>
        Promise.resolve(
          shard.records.map((record) => (record.file_name === 'p0' ? { ...record, text: null, error: gone } : record)),
        ),
    };
    const { tally } = await runBulk(options('out', { output }));
    expect(tally).toMatchObject({ captioned: 41, failed: 6, done: 47 });
    expect((await records('out')).filter(({ error }) => error !== '')).toHaveLength(6);
  });

  it('keeps shards that a run has at work from other runs, and lets others have the rest', async () => {
    const [begun, started] = [gate(), gate()];
    const openWorker = async () => {
      started.open();
      await begun.opened;
      return worker(0);
    };
    const first = runBulk(options('out', { slice: { index: 1, count: 4 }, openWorker }));
    await started.opened;
    for (const [index, count] of [
      [1, 4],
      [1, 2],
      [3, 6],
      [0, 1],
    ] as const) {
      const other = options('out', { slice: { index, count } });
      await expect(runBulk(other)).rejects.toMatchObject({ code: 'RUN_BUSY' });
    }
    const more = options('out', { slice: { index: 0, count: 4 }, inputs: named(48), takesOtherInputs: true });
    await expect(runBulk(more)).rejects.toMatchObject({ code: 'RUN_BUSY' });
    expect((await runBulk(options('out', { slice: { index: 0, count: 2 } }))).tally.done).toBe(25);
    begun.open();
    expect((await first).tally.done).toBe(12);
    expect((await runBulk(options('out', {}))).tally.done).toBe(47);
    await runBulk(options('calm', {}));
    expect(await texts('out')).toEqual(await texts('calm'));
    expect((await readdir(join(scratch, 'out/.blip2-run'))).toSorted()).toEqual(['inputs.jsonl', 'run.json']);
  });

  it('begins one run where several are begun at the same time', async () => {
    const inputs = () => {
      const both = gate();
      let waiting = 0;
      return async function* (count: number): AsyncGenerator<InputPicture> {
        yield* named(count);
        // Each has looked for a run by now, and found none.
        if (++waiting === 2) both.open();
        await both.opened;
      };
    };
    const outcome = async (runs: readonly Partial<BulkOptions>[]) => {
      const out = JSON.stringify(runs.map(({ settings }) => settings));
      const ended = await Promise.allSettled(
        runs.map((run, index) => runBulk(options(out, { ...run, slice: { index, count: 2 } }))),
      );
      return ended.map((end) => (end.status === 'fulfilled' ? 'done' : (end.reason as Blip2Error).code)).toSorted();
    };
    const [settings, pictures, same] = [inputs(), inputs(), inputs()];
    const asked = ['a', 'b'].map((prompt) => ({ settings: { prompt }, inputs: settings(47) }));
    expect(await outcome(asked)).toEqual(['RUN_DIFFERS', 'done']);
    expect(await outcome([46, 47].map((count) => ({ inputs: pictures(count) })))).toEqual(['RUN_DIFFERS', 'done']);
    expect(await outcome([same(47), same(47)].map((each) => ({ settings: {}, inputs: each })))).toEqual([
      'done',
      'done',
    ]);
  });

  it('removes what killed runs have left half-written, and nothing that is being written', async () => {
    await runBulk(options('out', {}));
    const before = await texts('out');
    // Of a shard that was killed after it was finished, and before that was tidied up.
    const record = (await records('out'))[3];
    const stale = `${JSON.stringify({ position: 3, record })}\n`;
    for (const end of ['journal', 'pending']) await writeFile(join(scratch, `out/.blip2-run/00000.${end}`), stale);
    await writeFile(join(scratch, 'out/.blip2-run/00001.journal'), '');
    await using written = await TemporaryFile.beside(join(scratch, 'out/00000.jsonl'));
    for (const folder of ['out', 'out/.blip2-run']) {
      await writeFile(join(scratch, folder, '.00000.jsonl.of-a-killed-run.blip2-partial'), 'left');
    }
    await runBulk(options('out', {}));
    const names = await readdir(join(scratch, 'out'), { recursive: true });
    const left = names.filter((name) => name.endsWith('partial'));
    expect(left.map((name) => join(scratch, 'out', name))).toEqual([written.path]);
    expect(names.filter((name) => /journal|pending/.test(name))).toEqual([]);
    expect(await texts('out')).toEqual(before);

    await writeFile(join(scratch, 'out/.blip2-run/00000.journal'), stale);
    const asked: unknown[] = [];
    const openWorker = () => Promise.resolve(worker(0, ({ source }) => (asked.push(source), false)));
    await runBulk(options('out', { retryFailed: true, openWorker }));
    expect(asked).toEqual(['p3', 'p13', 'p23', 'p33', 'p43']);
  });
});
