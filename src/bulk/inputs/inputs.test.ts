import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFile, mkdir, mkdtemp, open, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as fc from 'fast-check';
import { pack } from 'tar-stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { Blip2Error } from '../../errors.js';
import { parseInputPicture, type InputPicture } from './input-picture.js';
import { filePicture } from './file-picture.js';
import type { InputOptions } from './input-options.js';
import { listInputs } from './list-inputs.js';
import { openParquetFile } from './parquet-file.js';
import { PictureReader } from './picture-reader.js';

/** Files that other tools wrote, and what those tools read back: `make.py` there. */
const FIXTURES = fileURLToPath(new URL('../../../test/fixtures/bulk', import.meta.url));
const fixture = (name: string) => join(FIXTURES, name);
const expected = z
  .record(z.string(), z.array(z.tuple([z.string().nullable(), z.string().nullable()])))
  .parse(JSON.parse(await readFile(fixture('expected.json'), 'utf8')));
const expectedOf = (kind: string) => Object.entries(expected).filter(([name]) => name.endsWith(kind));

let scratch: string;
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'blip2-inputs-test-'));
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

/** An archive of an empty member, as these programs pack it. */
const PACKED = {
  bzip2: {
    names: ['a.tar.bz2', 'a.tbz2', 'a.TBZ'],
    packed:
      'QlpoOTFBWSZTWZLS9L0AAGz7gMiAABBAAWUAAAhggV4AAAggAFQ0EAA0aCKTUaaNGgH2LUFCJRE17voWK1QSAg5vIzAmKImqGFNUGfN1ru71IiA+LuSKcKEhJaXpeg==',
  },
  xz: {
    names: ['a.tar.xz', 'a.txz'],
    packed:
      '/Td6WFoAAATm1rRGAgAhARwAAAAQz1jM4Cf/AFFdADCLigcjxgZ3cKxc1TwjiNjauDWCFJSjOtZ/0tTcDCvyakunjgp6IiY4EUXTPRHpLwktUqbxAEewcvrHkf6RVdltVwxHJd88y6Nul4zHk2LGAAAAAABfmGxiWSbq0AABbYBQAAAAaXfUDbHEZ/sCAAAAAARZWg==',
  },
  zstd: {
    names: ['a.tar.zst', 'a.tzst'],
    packed: 'KLUv/QRonQEA8GEucG5nADA2NDQAMDY2NjEAIDAAAHVzdGFyADAwAAcgIDcc8wZ/vqd7CnjAoAC2E4YDzcp8ow==',
  },
};

const own = (argument: string) => Promise.resolve([argument]);

async function list(args: readonly string[], options: Partial<InputOptions> = {}): Promise<InputPicture[]> {
  const pictures: InputPicture[] = [];
  for await (const picture of listInputs(args, { expand: own, ...options })) pictures.push(picture);
  // As a run folder keeps them.
  return pictures.map((picture) => parseInputPicture(JSON.stringify(picture)));
}

/** Has the first header say its sum anew, which is taken with spaces in its own place. */
function withSum(archive: Buffer): void {
  const header = archive.subarray(0, 512).fill(' ', 148, 156);
  const sum = header.reduce((total, byte) => total + byte);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
}

const sha = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

async function codeOf(work: Promise<unknown>): Promise<string> {
  const error: unknown = await work.then(
    () => 'nothing was thrown',
    (thrown: unknown) => thrown,
  );
  return error instanceof Blip2Error ? error.code : String(error);
}

describe('tar archives', () => {
  it.each(expectedOf('.tar'))('%s gives the pictures that tarfile reads', async (name, members) => {
    await using reader = new PictureReader();
    const found: [string, string][] = [];
    for (const picture of await list([fixture(name)])) {
      const { source } = await reader.find(picture);
      if (!('tar' in picture) || typeof source === 'string') throw new Error('not a member');
      found.push([picture.name, sha(source)]);
    }
    expect(found).toEqual(members);
  });

  it('are read in any order, compressed or not', async () => {
    for (const name of ['plain.tar', 'compressed.tar']) {
      const pictures = await list([fixture(name)]);
      await using reader = new PictureReader();
      for (const index of [1, 0, 1, 1, 0]) {
        const picture = pictures[index];
        if (picture === undefined) throw new Error('too few');
        const { source } = await reader.find(picture);
        expect(sha(Buffer.from(source))).toBe(expected['plain.tar']?.[index]?.[1]);
      }
    }
  });

  it('that have gone since they were listed are missed by their names', async () => {
    const path = join(scratch, 'goes.tar');
    await copyFile(fixture('plain.tar'), path);
    const [picture] = await list([path]);
    if (picture === undefined) throw new Error('no member');
    await rm(path);
    await using reader = new PictureReader();
    await expect(reader.find(picture)).rejects.toMatchObject({ code: 'INPUT_INVALID', details: { file: path } });
  });

  it.each(['cut-member.tar', 'cut-header.tar', 'no-tar.tar', 'missing.tar'])('%s is refused', async (name) => {
    expect(await codeOf(list([fixture(name)]))).toBe('INPUT_INVALID');
  });

  it.each(Object.entries(PACKED))(
    'packed by %s are refused, with what unpacks them',
    async (program, { names, packed }) => {
      for (const name of [...names, 'plain.tar']) {
        await writeFile(join(scratch, name), Buffer.from(packed, 'base64'));
        await expect(list([join(scratch, name)])).rejects.toMatchObject({
          code: 'INPUT_INVALID',
          message: expect.stringContaining(`is packed by ${program}`) as unknown,
          hint: `Unpack it first (${program} -d), or pack it by gzip.`,
        });
      }
    },
  );

  it('with pictures that are stored with holes are refused', async () => {
    const picture = join(scratch, 'holes.png');
    await writeFile(picture, 'start');
    await truncate(picture, 10_000_000);
    for (const format of ['gnu', 'pax']) {
      const path = join(scratch, `${format}-sparse.tar`);
      const made = spawnSync('tar', ['--sparse', `--format=${format}`, '-cf', path, '-C', scratch, 'holes.png']);
      expect(made.status).toBe(0);
      expect(await codeOf(list([path]))).toBe('INPUT_INVALID');
    }
  });

  it.each([
    ['is contiguous is read', '7', true],
    ['is a directory and states a size is passed over', '5', true],
    ['is a link and states a size is refused', '2', false],
    ['is a hard link and states a size is refused', '1', false],
  ])('with a member that %s', async (_, type, isRead) => {
    const plain = await readFile(fixture('plain.tar'));
    const header = Buffer.from(plain.subarray(0, 512));
    header.write(type, 156);
    withSum(header);
    const path = join(scratch, `type-${type}.tar`);
    await writeFile(path, Buffer.concat([header, type === '7' ? plain.subarray(512) : plain]));
    if (!isRead) {
      expect(await codeOf(list([path]))).toBe('INPUT_INVALID');
      return;
    }
    await using reader = new PictureReader();
    const hashes: string[] = [];
    for (const picture of await list([path])) hashes.push(sha(Buffer.from((await reader.find(picture)).source)));
    expect(hashes).toEqual(expected['plain.tar']?.map(([, hash]) => hash));
  });

  it('with a note that is digits alone are read at once', async () => {
    const archive = pack();
    archive.entry({ name: 'note', size: 1 << 20 }, `${'0'.repeat((1 << 20) - 2)}1 `);
    archive.entry({ name: 'a.png' }, 'picture');
    archive.finalize();
    const chunks: Buffer[] = [];
    for await (const chunk of archive) chunks.push(Buffer.from(chunk as Uint8Array));
    const bytes = Buffer.concat(chunks);
    bytes.write('x', 156);
    withSum(bytes);
    const path = join(scratch, 'digits.tar');
    await writeFile(path, bytes);
    expect(await list([path])).toMatchObject([{ name: 'a.png' }]);
  });

  it('give every member where it lies, whatever its name and size', async () => {
    const name = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 60 }).filter((text) => !/[/\0]/.test(text));
    const members = fc.uniqueArray(fc.tuple(name, fc.uint8Array({ maxLength: 1500 })), {
      selector: ([each]) => each,
      maxLength: 8,
    });
    await fc.assert(
      fc.asyncProperty(members, async (given) => {
        const named = given.map(([text, bytes], index) => [`f${index}/x${text}.png`, bytes] as const);
        const archive = pack();
        for (const [each, bytes] of named) archive.entry({ name: each }, Buffer.from(bytes));
        archive.finalize();
        const path = join(scratch, 'property.tar');
        const chunks: Buffer[] = [];
        for await (const chunk of archive) chunks.push(Buffer.from(chunk as Uint8Array));
        await writeFile(path, Buffer.concat(chunks));
        await using reader = new PictureReader();
        const found: [string, Buffer][] = [];
        for (const picture of await list([path])) {
          if (!('tar' in picture)) throw new Error('not a member');
          found.push([picture.name, Buffer.from((await reader.find(picture)).source)]);
        }
        expect(found).toEqual(named.map(([each, bytes]) => [each, Buffer.from(bytes)]));
      }),
      { numRuns: 40 },
    );
  });
});

describe('Parquet files', () => {
  it.each(expectedOf('.parquet'))('%s gives the cells that pyarrow reads', async (name, cells) => {
    await using reader = new PictureReader('/root of pictures');
    const found: [string | null, string | null][] = [];
    for (const picture of await list([fixture(name)])) {
      try {
        const { source, path } = await reader.find(picture);
        if (typeof source === 'string') expect(source).toBe(`/root of pictures/${path}`);
        found.push([typeof source === 'string' ? null : sha(source), path]);
      } catch (error) {
        if (!(error instanceof Blip2Error && error.code === 'IMAGE_NOT_FOUND')) throw error;
        found.push([null, null]);
      }
    }
    expect(found).toEqual(cells);
  });

  it('are read at any row, within groups and across them', async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom('zstd', 'noted', 'none'), fc.nat(5), fc.nat(5), async (name, a, b) => {
        const file = await openParquetFile(fixture(`${name}.parquet`));
        const [begin, end] = [Math.min(a, b), Math.max(a, b) + 1];
        const cells = await file.read('photo', begin, end);
        expect(cells.map(({ bytes, path }) => [bytes === null ? null : sha(bytes), path])).toEqual(
          expected[`${name}.parquet`]?.slice(begin, end),
        );
      }),
      { numRuns: 40 },
    );
  });

  it('want to be told which column, where more than one or none holds pictures', async () => {
    expect(await codeOf(list([fixture('two-images.parquet')]))).toBe('INPUT_INVALID');
    expect(await list([fixture('two-images.parquet')], { imageColumn: 'right' })).toHaveLength(6);
    const plain = fixture('plain-columns.parquet');
    expect(await codeOf(list([plain]))).toBe('INPUT_INVALID');
    expect(await codeOf(list([plain], { imageColumn: 'other' }))).toBe('INPUT_INVALID');
    for (const imageColumn of ['photo', 'label', 'row']) {
      await expect(list([fixture('lists.parquet')], { imageColumn })).rejects.toThrow(
        `no column ${imageColumn} of bytes or paths`,
      );
    }
    await using reader = new PictureReader();
    for (const [row, picture] of (await list([plain], { imageColumn: 'raw' })).entries()) {
      expect((await reader.find(picture)).source).toEqual(
        new Uint8Array(
          await readFile(join('models/demo/pictures', ['shape-00.png', 'shape-01.png', 'shape-04.jpg'][row] ?? '')),
        ),
      );
    }
    const [where] = await list([plain], { imageColumn: 'where' });
    if (where === undefined) throw new Error('no row');
    expect((await reader.find(where)).source).toBe(fixture('shape-00.png'));
  });

  it('that become others are not taken for those that were listed', async () => {
    const path = join(scratch, 'table.parquet');
    await copyFile(fixture('hub.parquet'), path);
    const [first] = await list([path]);
    if (first === undefined) throw new Error('no row');
    await using table = await openParquetFile(path);
    await truncate(path, 10);
    await expect(table.read('image', 0, 1)).rejects.toMatchObject({ code: 'IMAGE_UNREADABLE' });
    await copyFile(fixture('zstd.parquet'), path);
    await using reader = new PictureReader();
    await expect(reader.find(first)).rejects.toMatchObject({ code: 'IMAGE_UNREADABLE' });
    expect((await list([path]))[0]).not.toEqual(first);
    await copyFile(fixture('hub.parquet'), path);
    expect(await list([path])).toContainEqual(first);
  });

  it('that are cut or damaged are refused, or fail by their rows', async () => {
    const whole = await readFile(fixture('zstd.parquet'));
    const path = join(scratch, 'damaged.parquet');
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length - 1), fc.boolean(), async (at, cuts) => {
        const damaged = Buffer.from(cuts ? whole.subarray(0, at) : whole);
        if (!cuts) damaged[at] = (damaged[at] ?? 0) ^ 0xff;
        await writeFile(path, damaged);
        await using reader = new PictureReader();
        try {
          for (const picture of await list([path])) await reader.find(picture).catch(refusal);
        } catch (error) {
          refusal(error);
        }
      }),
      { numRuns: 60 },
    );
  });
});

/** What may be thrown for what others have written. */
function refusal(error: unknown): void {
  if (!(error instanceof Blip2Error && /^(INPUT_|IMAGE_)/.test(error.code))) throw error;
}

describe('what has the name of an archive, a table or a list', () => {
  const named = ['a.tar', 'a.tar.gz', 'a.TGZ', 'a.parquet', 'a.jsonl', 'a.ndjson'];

  it.each(named)('%s is a folder where it is one', async (name) => {
    const folder = join(scratch, 'folders', name);
    await mkdir(folder, { recursive: true });
    const picture = join(folder, 'b.png');
    const found = await list([folder], { expand: (given) => Promise.resolve([join(given, 'b.png')]) });
    expect(found).toEqual([{ name: picture, beneath: 'b.png' }]);
  });

  it.skipIf(process.platform === 'win32').each(named)('%s is refused where it is a FIFO', async (name) => {
    await mkdir(join(scratch, 'fifos'), { recursive: true });
    const path = join(scratch, 'fifos', name);
    spawnSync('mkfifo', [path]);
    await expect(list([path])).rejects.toMatchObject({ code: 'INPUT_INVALID', message: `${path}: is no regular file` });
  });
});

describe('lists', () => {
  const jsonl = async (text: string): Promise<string> => {
    const path = join(scratch, 'list.jsonl');
    await writeFile(path, text);
    return path;
  };

  it('name pictures by a field, relative to their own folder or the one that is given', async () => {
    const rows =
      '\uFEFF{"id": 1, "file_name": "a/b.jpg"}\r\n\n{"path": "/c.png", "image": {"x": 1}}\n{"url": "https://x.org/d%20e.webp?f"}';
    const path = await jsonl(rows);
    expect(await list([path])).toEqual([
      { name: 'a/b.jpg', path: join(scratch, 'a/b.jpg'), beneath: 'a/b.jpg' },
      { name: '/c.png', beneath: 'c.png' },
      { name: 'https://x.org/d%20e.webp?f', beneath: 'd%20e.webp' },
    ]);
    // As Python's json writes numbers that JSON has none for.
    const python = await jsonl('{"path": "NaN.jpg", "score": NaN, "least": [-Infinity, Infinity]}');
    expect(await list([python])).toMatchObject([{ name: 'NaN.jpg' }]);
    const file = await jsonl('{"file_name": "a.jpg", "mine": "b.jpg"}');
    expect(await list([file], { pathField: 'mine', imageRoot: '/r' })).toMatchObject([{ path: '/r/b.jpg' }]);
  });

  it.each(['{"a": "b.jpg"}', 'no JSON', '["a.jpg"]', '{"path": 5}', '{"path": ""}', '{"path": "a.jpg"'])(
    '%s is refused with its line',
    async (line) => {
      const path = await jsonl(`{"path": "a.jpg"}\n${line}\n`);
      await expect(list([path])).rejects.toMatchObject({
        code: 'INPUT_INVALID',
        message: expect.stringContaining('line 2'),
      });
      expect(await codeOf(list([join(scratch, 'missing.jsonl')]))).toBe('INPUT_INVALID');
    },
  );

  it('say where a picture lies below what was named', async () => {
    const folder = ['photos/a.jpg', 'photos/b/c.jpg'];
    expect(await list(['photos/'], { expand: () => Promise.resolve(folder) })).toMatchObject([
      { name: 'photos/a.jpg', beneath: 'a.jpg' },
      { name: 'photos/b/c.jpg', beneath: 'b/c.jpg' },
    ]);
    expect(await list(['.'], { expand: () => Promise.resolve(['a.jpg', 'b/c.jpg']) })).toMatchObject([
      { beneath: 'a.jpg' },
      { beneath: 'b/c.jpg' },
    ]);
    expect(filePicture('../other/a.jpg').beneath).toBe('a.jpg');
    expect(filePicture('/abs/a.jpg').beneath).toBe('a.jpg');
    expect(filePicture('./x/../y/a.jpg').beneath).toBe('y/a.jpg');
    expect(filePicture('https://x.org/%zz').beneath).not.toContain('/');
    const half = '\ud800.jpg';
    expect(filePicture(half, `in/${half}`)).toEqual({
      name: '\ufffd.jpg',
      path: 'in/\ufffd.jpg',
      beneath: '\ufffd.jpg',
    });
  });
});

it('a file is read that is larger than what is read at once', async () => {
  const handle = await open(join(scratch, 'large.tar'), 'w');
  const archive = pack();
  const bytes = Buffer.alloc(5_000_000, 'picture');
  archive.entry({ name: 'large.jpg' }, bytes);
  archive.entry({ name: 'next.jpg' }, 'next');
  archive.finalize();
  for await (const chunk of archive) await handle.appendFile(chunk as Uint8Array);
  await handle.close();
  await using reader = new PictureReader();
  const [large, next] = await list([join(scratch, 'large.tar')]);
  if (large === undefined || next === undefined) throw new Error('no members');
  expect(sha(Buffer.from((await reader.find(large)).source))).toBe(sha(bytes));
  expect(Buffer.from((await reader.find(next)).source).toString()).toBe('next');
});
