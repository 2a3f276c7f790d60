/** What runs write, read by others: the system's tar and the Parquet footer, and with Python the libraries that people use. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { asyncBufferFromFile, parquetMetadataAsync, parquetSchema, type SchemaTree } from 'hyparquet';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { command, DEMO, ROOT } from '../cli/command.js';

/** A Python with datasets, pyarrow, webdataset and Pillow, whose readings cannot be had otherwise. */
const PYTHON = process.env['BLIP2_TEST_PYTHON'];
if (PYTHON === undefined) {
  console.warn('BLIP2_TEST_PYTHON names no Python: what datasets, pyarrow and webdataset read of runs is not tested');
}

const run = promisify(execFile);
const texts = z
  .array(z.object({ image: z.string(), caption: z.object({ text: z.string() }) }))
  .parse(JSON.parse(await readFile(join(ROOT, 'test/fixtures/goldens/demo/goldens.json'), 'utf8')));

/** Names that readers cut, take for fields or for splits; one of these is no picture. */
const NAMES = [
  'v1.5_photo.png',
  'train.png',
  'img.0.jpg',
  'img.1.png',
  'ünï \u{1F600}.png',
  'broken.png',
  'test/a.png',
];
const SOURCES = [0, 1, 4, 2, 3, null, 5];

let scratch: string;
let pictures: string;
const out: Record<string, string> = {};

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'blip2-read-back-'));
  for (const format of ['jsonl', 'metadata', 'webdataset', 'parquet']) {
    pictures = join(scratch, `pictures-${format}`);
    await mkdir(join(pictures, 'test'), { recursive: true });
    for (const [index, name] of NAMES.entries()) {
      const source = SOURCES[index];
      const image = typeof source === 'number' ? texts[source]?.image : undefined;
      if (image === undefined) await writeFile(join(pictures, name), 'no picture');
      else await copyFile(join(ROOT, DEMO, 'pictures', image), join(pictures, name));
    }
    const folder = format === 'metadata' ? pictures : join(scratch, format);
    const inputs = NAMES.map((name) => join(pictures, name));
    const flags = ['-m', DEMO, '--max-new-tokens', '40', '--out', folder, '--format', format, '--shard-size', '3'];
    expect(await command('blip2-run', [...inputs, ...flags])).toMatchObject({ code: 4 });
    out[format] = folder;
  }
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

const folderOf = (format: string): string => out[format] ?? '';

interface Row {
  /** SHA-256 of the RGB pixels. */
  readonly pixels: string | null;
  readonly name: string;
  readonly text: string | null;
}

async function expectedRows(format: string): Promise<Row[]> {
  return Promise.all(
    NAMES.map(async (name, index) => {
      const source = SOURCES[index];
      const golden = typeof source === 'number' ? texts[source] : undefined;
      const path = join(scratch, `pictures-${format}`, name);
      if (golden === undefined) return { pixels: null, name: path, text: null };
      const { data } = await sharp(path).removeAlpha().raw().toBuffer({ resolveWithObject: true });
      return { pixels: createHash('sha256').update(data).digest('hex'), name: path, text: golden.caption.text };
    }),
  );
}

describe('webdataset archives', () => {
  it("hold samples of three members each, as the system's tar reads them", async () => {
    const folder = folderOf('webdataset');
    const archives = (await readdir(folder)).filter((name) => name.endsWith('.tar')).toSorted();
    expect(archives).toEqual(['00000.tar', '00001.tar', '00002.tar']);
    const members: string[] = [];
    for (const archive of archives) {
      const { stdout } = await run('tar', ['-tf', join(folder, archive)]);
      members.push(...stdout.trimEnd().split('\n'));
      await run('tar', ['-xf', join(folder, archive), '-C', scratch]);
    }
    const expected = (await expectedRows('webdataset')).map((row, index) => ({
      ...row,
      key: String(index).padStart(9, '0'),
    }));
    const good = expected.filter(({ text }) => text !== null);
    expect(members).toEqual(good.flatMap(({ key }) => [`${key}.jpg`, `${key}.json`, `${key}.txt`]));
    for (const { key, name, text } of good) {
      expect(await readFile(join(scratch, `${key}.jpg`))).toEqual(await readFile(name));
      expect(await readFile(join(scratch, `${key}.txt`), 'utf8')).toBe(text);
      expect(JSON.parse(await readFile(join(scratch, `${key}.json`), 'utf8'))).toMatchObject({ file_name: name, text });
    }
  });
});

describe('Parquet files', () => {
  it('hold their columns in the order of their schema, each of a type that was stated', async () => {
    const footers = await Promise.all(
      ['00000', '00001', '00002'].map(async (name) => {
        const file = join(folderOf('parquet'), `${name}.parquet`);
        return parquetMetadataAsync(await asyncBufferFromFile(file));
      }),
    );
    for (const footer of footers) {
      expect(footer.schema).toEqual(footers[0]?.schema);
      const leaves = leavesOf(parquetSchema(footer)).map((path) => path.join('.'));
      for (const group of footer.row_groups) {
        expect(group.columns.map(({ meta_data }) => meta_data?.path_in_schema.join('.'))).toEqual(leaves);
      }
      for (const { name, repetition_type } of footer.schema.slice(1)) {
        expect([name, repetition_type]).toEqual([name, name === 'list' ? 'REPEATED' : 'OPTIONAL']);
      }
    }
  });
});

function leavesOf({ children, path }: SchemaTree): string[][] {
  return children.length === 0 ? [path] : children.flatMap(leavesOf);
}

describe.skipIf(PYTHON === undefined)('libraries in Python', () => {
  it.each(['jsonl', 'metadata', 'webdataset', 'parquet'])('read %s row for row', async (format) => {
    const [read = {}] = await readBack(format, folderOf(format));
    const rows = (await expectedRows(format)).filter(
      ({ text }) => text !== null || format === 'jsonl' || format === 'parquet',
    );
    const expected = rows.map(({ pixels, name, text }) => [
      format === 'jsonl' ? null : pixels,
      format === 'metadata' ? null : name,
      text,
    ]);
    expect(Object.keys(read)).not.toEqual([]);
    for (const found of Object.values(read)) expect(found).toEqual(expected);
  });

  it('tell two folders of one name apart, whose pictures have names of splits', async () => {
    const folders = ['one', 'two'].map((name) => join(scratch, name, 'shapes'));
    for (const [index, folder] of folders.entries()) {
      await mkdir(folder, { recursive: true });
      await copyFile(join(ROOT, DEMO, 'pictures', texts[index]?.image ?? ''), join(folder, 'train.png'));
      const flags = ['-m', DEMO, '--max-new-tokens', '40', '--format', 'metadata'];
      expect(await command('blip2-run', [folder, ...flags])).toMatchObject({ code: 0 });
    }
    const read = await readBack('metadata', ...folders);
    const captions = read.map((readers) => Object.values(readers).map((rows) => rows.map(([, , text]) => text)));
    expect(captions).toEqual([0, 1].map((index) => [[texts[index]?.caption.text]]));
  });
});

describe.skipIf(PYTHON === undefined).each(['jsonl', 'webdataset'])('datasets reads %s', (format) => {
  const written = async (name: string, ...inputs: readonly string[]) => {
    const folder = join(scratch, `${name}-${format}`);
    const flags = ['-m', DEMO, '--max-new-tokens', '40', '--out', folder, '--format', format, '--shard-size', '2'];
    await command('blip2-run', [...inputs, ...flags]);
    const [read = {}] = await readBack(format, folder);
    return read['datasets']?.map(([, , text]) => text);
  };
  const captions = (...indices: readonly number[]) => indices.map((index) => texts[index]?.caption.text);
  const shape = (index: number) => join(ROOT, DEMO, 'pictures', texts[index]?.image ?? '');

  it('whose first shard failed as a whole', async () => {
    const failed = [1, 2].map((index) => join(scratch, `failed-${index}.png`));
    for (const path of failed) await writeFile(path, 'no picture');
    const none = format === 'jsonl' ? [null, null] : [];
    expect(await written('failed', ...failed, shape(0), shape(4))).toEqual([...none, ...captions(0, 4)]);
  });

  it('of files, archives and tables together', async () => {
    const inside = ['webdataset.tar', 'hub.parquet'].map((name) => join(ROOT, 'test/fixtures/bulk', name));
    const files = [0, 1, 2, 3, 4, 5].map(shape);
    expect(await written('mixed', ...files, ...inside)).toEqual(captions(0, 1, 2, 3, 4, 5, 0, 1, 4, 0, 1, 4));
  });
});

const cell = z.string().nullable();
const readRows = z.array(z.record(z.string(), z.array(z.tuple([cell, cell, cell]))));

/** Of each folder, what each reader makes of its rows: picture, name, caption. */
async function readBack(format: string, ...folders: readonly string[]): Promise<z.infer<typeof readRows>> {
  const script = join(ROOT, 'test/bulk/read_back.py');
  const { stdout } = await run(PYTHON ?? '', [script, format, ...folders], { maxBuffer: 1 << 26 });
  return readRows.parse(JSON.parse(stdout));
}
