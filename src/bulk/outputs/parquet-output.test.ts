import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } from 'hyparquet';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { CaptionRecord } from '../caption-record.js';
import { openParquetFile } from '../inputs/parquet-file.js';
import { RunFolder } from '../run/run-folder.js';
import { ParquetOutput } from './parquet-output.js';

let scratch: string;
beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'blip2-parquet-test-'));
});
afterEach(() => rm(scratch, { recursive: true, force: true }));

const record = (name: string, text: string | null): CaptionRecord => ({
  file_name: name,
  text,
  tokens: [1],
  truncated: false,
  error: text === null ? 'IMAGE_UNREADABLE: nothing' : '',
  ...(text === null ? {} : { answers: [1, 2].map((n) => ({ text: `${text} ${n}`, tokens: [n] })) }),
});

it('cuts row groups by the bytes of pictures, and keeps a row for each picture', async () => {
  const folder = new RunFolder(scratch, 'parquet');
  await folder.prepare();
  const files = await Promise.all(
    Array.from({ length: 5 }, async (_, index) => {
      const bytes = randomBytes(17 * 1024 * 1024 + index);
      const path = join(scratch, `picture ${index}.bin`);
      if (index !== 3) await writeFile(path, bytes);
      return { path, hash: createHash('sha256').update(bytes).digest('hex') };
    }),
  );
  const texts = ['a', '', null, 'gone by now', '\u{1F600} "quoted"\n'];
  const written = await new ParquetOutput(folder).write({
    shard: 0,
    first: 0,
    pictures: files.map(({ path }) => ({ name: path, beneath: 'x' })),
    records: files.map(({ path }, index) => record(path, texts[index] ?? null)),
    kept: new Set(),
  });
  expect(written.map(({ error }) => error.split(':')[0])).toEqual(['', '', 'IMAGE_UNREADABLE', 'IMAGE_NOT_FOUND', '']);

  const path = folder.outputFile(0, 'parquet');
  const file = await asyncBufferFromFile(path);
  const { row_groups: groups } = await parquetMetadataAsync(file);
  expect(groups.map(({ num_rows }) => Number(num_rows))).toEqual([2, 3]);
  const columns = ['file_name', 'archive', 'row', 'text', 'answers', 'error'];
  const rows = await parquetReadObjects({ file, columns });
  expect(rows).toEqual(
    files.map(({ path: name }, index) => {
      const { text, answers, error } = written[index] ?? {};
      const said = answers?.map((answer) => answer.text) ?? null;
      return { file_name: name, archive: null, row: null, text, answers: said, error: error === '' ? null : error };
    }),
  );
  // Of a group, no more is read than is asked for.
  let readBytes = 0;
  const counted = {
    byteLength: file.byteLength,
    slice: (start: number, end?: number) => {
      readBytes += (end ?? file.byteLength) - start;
      return file.slice(start, end);
    },
  };
  const image = { columns: ['image'], rowStart: 1, rowEnd: 2, utf8: false, useOffsetIndex: true };
  expect(await parquetReadObjects({ file: counted, ...image })).toHaveLength(1);
  expect(readBytes).toBeLessThan(20 * 1024 * 1024);
  const cells = await (await openParquetFile(path)).read('image', 0, 5);
  expect(
    cells.map(({ bytes, path: base }) => [bytes && createHash('sha256').update(bytes).digest('hex'), base]),
  ).toEqual(
    files.map(({ hash }, index) => (index === 2 || index === 3 ? [null, null] : [hash, `picture ${index}.bin`])),
  );
});
