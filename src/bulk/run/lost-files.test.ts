import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Blip2Error } from '../../errors.js';
import { ParquetOutput } from '../outputs/parquet-output.js';
import { SidecarOutput } from '../outputs/sidecar-output.js';
import { WebdatasetOutput } from '../outputs/webdataset-output.js';
import { runBulk, type BulkResult } from './bulk-run.js';
import type { CaptionWorker } from './caption-pictures.js';
import { openShards } from './finish-run.js';
import { RunFolder, type ShardExtension } from './run-folder.js';
import type { ShardOutput } from './shard-output.js';

let scratch: string;
let folder: RunFolder;
/** Pictures that were captioned, in order. */
let asked: string[];
beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'blip2-lost-files-'));
  asked = [];
  for (const name of 'abcde') await writeFile(join(scratch, `${name}.png`), name);
});
afterEach(() => rm(scratch, { recursive: true, force: true }));

const saysBytes: CaptionWorker = {
  async *caption(pictures) {
    for await (const { source } of pictures) {
      const text = await readFile(String(source), 'utf8');
      asked.push(text);
      if (text === 'b') yield { status: 'failed', error: new Blip2Error('IMAGE_UNREADABLE', 'b is no picture') };
      else yield { status: 'captioned', answers: [{ text, ids: [1], finish: 'stop', score: null }] };
    }
  },
  [Symbol.asyncDispose]: () => Promise.resolve(),
};

/** Two shards of two pictures, and one of one; `b` fails. */
async function run(extension: ShardExtension | null, makeOutput: () => ShardOutput): Promise<BulkResult> {
  folder = new RunFolder(join(scratch, 'out'), extension);
  return runBulk({
    folder,
    output: makeOutput(),
    inputs: (async function* () {
      for (const name of 'abcde') {
        yield await Promise.resolve({ name: join(scratch, `${name}.png`), beneath: `${name}.png` });
      }
    })(),
    settings: {},
    shardSize: 2,
    takesOtherInputs: false,
    slice: { index: 0, count: 1 },
    retryFailed: false,
    workers: 1,
    openWorker: () => Promise.resolve(saysBytes),
    signal: new AbortController().signal,
    onProgress: () => undefined,
  });
}

async function files(): Promise<Record<string, string>> {
  const names = (await readdir(folder.path)).filter((name) => !name.startsWith('.')).toSorted();
  const texts = names.map(async (name) => [name, await readFile(join(folder.path, name), 'latin1')] as const);
  return Object.fromEntries(await Promise.all(texts));
}

const sidecars = { beside: false, existing: 'skip', prefix: '', suffix: '' } as const;

describe.each([
  ['tar', () => new WebdatasetOutput(folder, () => 'png'), ['00001.tar', '00002.tar'], ['c', 'd', 'e'], [1, 2]],
  ['parquet', () => new ParquetOutput(folder), ['00000.parquet'], ['a', 'b'], [0]],
  ['jsonl', () => ({ write: ({ records }) => Promise.resolve(records) }), ['00001.jsonl'], ['c', 'd'], [1]],
  [null, () => new SidecarOutput(folder, sidecars), ['a.txt', 'd.txt'], ['a', 'd'], []],
] satisfies [ShardExtension | null, () => ShardOutput, string[], string[], number[]][])(
  'a run that writes .%s',
  (extension, makeOutput, lost, again, open) => {
    it('makes what is lost of its files again, and nothing else', async () => {
      await run(extension, makeOutput);
      const whole = await files();
      for (const name of lost) await rm(join(folder.path, name));
      expect(await openShards(folder, 3)).toEqual(open);
      for (const shard of open) expect(await folder.isFinished(shard)).toBe(false);
      asked = [];
      const result = await run(extension, makeOutput);
      expect(asked).toEqual(again);
      expect(result).toMatchObject({ tally: { captioned: 4, failed: 1 }, shardsLeft: 0 });
      expect(await files()).toEqual(whole);
      asked = [];
      await run(extension, makeOutput);
      expect(asked).toEqual([]);
    });
  },
);
