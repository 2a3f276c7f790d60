import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Blip2Error } from '../../errors.js';
import type { InputPicture } from '../inputs/input-picture.js';
import { PictureReader } from '../inputs/picture-reader.js';
import { tarPictures } from '../inputs/tar-input.js';
import { openParquetFile } from '../inputs/parquet-file.js';
import type { CaptionWorker, HandedPicture, Outcome } from '../run/caption-pictures.js';
import { runBulk } from '../run/bulk-run.js';
import { RunFolder } from '../run/run-folder.js';
import { ParquetOutput } from './parquet-output.js';
import { WebdatasetOutput } from './webdataset-output.js';

let scratch: string;
let server: Server;
/** What was asked for, in order. No two answers are the same. */
let asked: string[];
beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'blip2-fetched-pictures-'));
  asked = [];
  server = createServer(({ url = '' }, response) => {
    asked.push(url);
    if (url === '/gone') response.writeHead(404).end();
    else response.end(url === '/large' ? Buffer.alloc(5000) : `${url} ${asked.length}`);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterEach(async () => {
  server.close();
  await rm(scratch, { recursive: true, force: true });
});

const NAMES = ['a', 'b', 'gone', 'a', 'c', 'large', 'd'];

async function* inputs(): AsyncGenerator<InputPicture> {
  const { port } = server.address() as AddressInfo;
  for (const name of NAMES) yield await Promise.resolve({ name: `http://127.0.0.1:${port}/${name}`, beneath: name });
}

/** Says what it was handed; the first one dies with two pictures in hand. */
function openWorker(worker: { deaths: number }): CaptionWorker {
  return {
    async *caption(pictures: AsyncIterable<HandedPicture>): AsyncGenerator<Outcome> {
      let taken = 0;
      for await (const { source } of pictures) {
        if (++taken === 2 && worker.deaths++ === 0) throw new Blip2Error('PROCESS_ENDED', 'it has ended');
        const text = Buffer.from(source as Uint8Array).toString();
        if (taken > 1 || worker.deaths > 0) yield { status: 'captioned', answers: [answer(text)] };
      }
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

const answer = (text: string) => ({ text, ids: [1], finish: 'stop', score: null }) as const;

async function run(format: 'tar' | 'parquet'): Promise<RunFolder> {
  const folder = new RunFolder(scratch, format);
  const worker = { deaths: 0 };
  await runBulk({
    folder,
    output: format === 'tar' ? new WebdatasetOutput(folder, () => 'jpg') : new ParquetOutput(folder),
    inputs: inputs(),
    settings: {},
    shardSize: 4,
    takesOtherInputs: false,
    slice: { index: 0, count: 1 },
    retryFailed: false,
    workers: 1,
    openWorker: () => Promise.resolve(openWorker(worker)),
    fetching: { fetchLimitBytes: 4000 },
    signal: new AbortController().signal,
    onProgress: () => undefined,
  });
  expect(worker.deaths).toBeGreaterThan(0);
  return folder;
}

it.each(['tar', 'parquet'] as const)(
  'a .%s holds the pictures that were captioned, each fetched once',
  async (format) => {
    const folder = await run(format);
    expect(asked).toEqual(NAMES.map((name) => `/${name}`));
    const records = [...((await folder.readRecords(0)) ?? []), ...((await folder.readRecords(1)) ?? [])];
    expect(records.map(({ error }) => error.split(':')[0])).toEqual([
      '',
      '',
      'IMAGE_NOT_FOUND',
      '',
      '',
      'IMAGE_TOO_LARGE',
      '',
    ]);
    expect(records.map(({ text }) => text?.split(' ')[0] ?? null)).toEqual(['/a', '/b', null, '/a', '/c', null, '/d']);
    const written = format === 'tar' ? await tarFiles(folder) : await tableFiles(folder);
    expect(written).toEqual(records.flatMap(({ text }) => text ?? []));
    expect((await readdir(join(scratch, '.blip2-run'))).filter((name) => name.endsWith('.pictures'))).toEqual([]);
  },
);

async function tarFiles(folder: RunFolder): Promise<string[]> {
  const files: string[] = [];
  await using reader = new PictureReader();
  for (const shard of [0, 1]) {
    for await (const picture of tarPictures(folder.outputFile(shard, 'tar'))) {
      files.push(Buffer.from((await reader.bytes(picture)).bytes).toString());
    }
  }
  return files;
}

async function tableFiles(folder: RunFolder): Promise<string[]> {
  const files: string[] = [];
  for (const shard of [0, 1]) {
    await using table = await openParquetFile(folder.outputFile(shard, 'parquet'));
    for (const { bytes } of await table.read('image', 0, table.rows)) {
      if (bytes !== null) files.push(Buffer.from(bytes).toString());
    }
  }
  return files;
}
