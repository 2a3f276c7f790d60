/** Pictures in whose place others are by the time that their captions are written with them. */
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { CaptionRecord } from '../caption-record.js';
import type { InputPicture } from '../inputs/input-picture.js';
import type { CaptionWorker, HandedPicture, Outcome } from '../run/caption-pictures.js';
import { runBulk, type BulkOptions } from '../run/bulk-run.js';
import { RunFolder } from '../run/run-folder.js';
import { ParquetOutput } from './parquet-output.js';
import { WebdatasetOutput } from './webdataset-output.js';

const FORMATS = ['webdataset', 'parquet'] as const;

let scratch: string;
let server: Server;
let answers: Record<string, string>;
beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'blip2-replaced-pictures-'));
  answers = { '/same': 'same', '/other': 'old' };
  server = createServer(({ url = '' }, response) => response.end(answers[url])).listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterEach(async () => {
  server.close();
  await rm(scratch, { recursive: true, force: true });
});

/** Says what is in each picture. @param after is called with how many it has said */
function openWorker(after: (count: number) => Promise<void>): CaptionWorker {
  return {
    async *caption(pictures: AsyncIterable<HandedPicture>, signal): AsyncGenerator<Outcome> {
      let count = 0;
      for await (const { source } of pictures) {
        signal.throwIfAborted();
        const text = (typeof source === 'string' ? await readFile(source) : Buffer.from(source)).toString();
        yield { status: 'captioned', answers: [{ text, ids: [1], finish: 'stop', score: null }] };
        await after(++count);
      }
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

async function run(
  format: (typeof FORMATS)[number],
  pictures: readonly InputPicture[],
  others: Partial<BulkOptions> & { readonly after?: (count: number) => Promise<void> },
): Promise<CaptionRecord[]> {
  const folder = new RunFolder(join(scratch, 'out'), format === 'parquet' ? 'parquet' : 'tar');
  await runBulk({
    folder,
    output: format === 'parquet' ? new ParquetOutput(folder) : new WebdatasetOutput(folder, () => 'jpg'),
    inputs: (async function* () {
      for (const picture of pictures) yield await Promise.resolve(picture);
    })(),
    settings: {},
    shardSize: 10,
    takesOtherInputs: false,
    slice: { index: 0, count: 1 },
    retryFailed: false,
    workers: 1,
    openWorker: () => Promise.resolve(openWorker(others.after ?? (() => Promise.resolve()))),
    signal: new AbortController().signal,
    onProgress: () => undefined,
    ...others,
  });
  return (await folder.readRecords(0)) ?? [];
}

const said = (records: readonly CaptionRecord[]) =>
  records.map(({ text, error }) => text ?? error.replace(/^(\w+): .* is another .*/, '$1'));

it.each(FORMATS)('%s has no picture with the caption of one that was there before', async (format) => {
  const paths = ['a', 'b', 'c'].map((name) => join(scratch, name));
  for (const path of paths) await writeFile(path, 'old');
  const tar = join(scratch, 'members.tar');
  await writeFile(tar, 'old');
  const pictures = [
    { name: 'member', tar, offset: 0, size: 3 },
    ...paths.map((path) => ({ name: path, beneath: path })),
  ];
  const replace = async (count: number) => {
    if (count !== 3) return;
    for (const path of [paths[0] ?? '', tar]) await writeFile(path, 'newer');
  };
  const failed = 'IMAGE_UNREADABLE';
  expect(said(await run(format, pictures, { after: replace }))).toEqual([failed, failed, 'old', 'old']);
  expect(said(await run(format, pictures, { retryFailed: true }))).toEqual(['new', 'newer', 'old', 'old']);
});

it.each(FORMATS)('%s of a run that was stopped has what was fetched again as it was captioned', async (format) => {
  const { port } = server.address() as AddressInfo;
  const pictures = ['same', 'other', 'same'].map((name) => ({
    name: `http://127.0.0.1:${port}/${name}`,
    beneath: name,
  }));
  const stop = new AbortController();
  const onProgress = ({ done }: { readonly done: number }) => done === 2 && stop.abort(new Error('stopped'));
  await expect(run(format, pictures, { signal: stop.signal, onProgress })).rejects.toThrow('stopped');
  answers['/other'] = 'new';
  expect(said(await run(format, pictures, {}))).toEqual(['same', 'IMAGE_UNREADABLE', 'same']);
  expect(said(await run(format, pictures, { retryFailed: true }))).toEqual(['same', 'new', 'same']);
});
