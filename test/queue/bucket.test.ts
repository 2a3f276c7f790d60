/** `s3://` against the server that BLIP2_TEST_S3 names (moto_server or versitygw; AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are its). */
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { pack } from 'tar-stream';
import { Bucket } from '../../src/bulk/bucket/bucket.js';
import { ObjectSource } from '../../src/bulk/bucket/object-source.js';
import type { InputPicture } from '../../src/bulk/inputs/input-picture.js';
import { listInputs } from '../../src/bulk/inputs/list-inputs.js';
import { PictureReader } from '../../src/bulk/inputs/picture-reader.js';
import { Blip2Error } from '../../src/errors.js';
import { command, DEMO, ROOT } from '../cli/command.js';

const expectedJson = z.record(z.string(), z.array(z.tuple([z.string().nullable(), z.string().nullable()])));
const endpoint = process.env['BLIP2_TEST_S3'];
if (endpoint === undefined) {
  process.stderr.write(
    '\n*** BLIP2_TEST_S3 names no server: the tests of s3:// are SKIPPED. moto_server (pip install "moto[server]") is one.\n\n',
  );
}

describe.skipIf(endpoint === undefined)('s3://', () => {
  const name = `blip2-${randomBytes(4).toString('hex')}`;
  let scratch: string;
  let bucket: Bucket;

  beforeAll(async () => {
    process.env['AWS_ENDPOINT_URL_S3'] = endpoint;
    scratch = await mkdtemp(join(tmpdir(), 'blip2-bucket-test-'));
    const client = new S3Client({ region: 'us-east-1', endpoint: endpoint ?? '', forcePathStyle: true });
    await client.send(new CreateBucketCommand({ Bucket: name }));
    for (const picture of await readdir(join(ROOT, DEMO, 'pictures'))) {
      const Body = await readFile(join(ROOT, DEMO, 'pictures', picture));
      await client.send(new PutObjectCommand({ Bucket: name, Key: `in/${picture}`, Body }));
    }
    client.destroy();
    bucket = await Bucket.open(name);
  });
  afterAll(async () => {
    bucket.close();
    await rm(scratch, { recursive: true, force: true });
  });

  it('uploads files whole, in parts where they are large, and creates what is not there', async () => {
    for (const size of [0, 5, 20 * 1024 * 1024 + 1]) {
      const bytes = randomBytes(size);
      const file = join(scratch, 'file');
      await writeFile(file, bytes);
      await bucket.upload(`files/${size}`, file);
      expect(Buffer.from((await bucket.read(`files/${size}`)) ?? []).equals(bytes)).toBe(true);
    }
    expect(await bucket.read('files/none')).toBeNull();
    expect(await bucket.isConditional()).toBe(true);
    const racing = await Promise.all(Array.from({ length: 10 }, (_, index) => bucket.create('once', String(index))));
    expect(racing.filter(Boolean)).toHaveLength(1);
    await expect(bucket.upload('files/unreadable', join(scratch, 'none'))).rejects.toThrow('ENOENT');
    expect(await bucket.exists('files/unreadable')).toBe(false);
  });

  it('holds a run as a folder does, and goes on with it', async () => {
    const run = (out: string) =>
      command('blip2-run', [
        `s3://${name}/in`,
        '-m',
        DEMO,
        '--shard-size',
        '5',
        '--format',
        'parquet',
        '--out',
        out,
        '--json',
      ]);
    const folder = join(scratch, 'out');
    expect(JSON.parse((await run(folder)).stdout)).toMatchObject({ captioned: 16, failed: 0 });
    expect(JSON.parse((await run(`s3://${name}/out`)).stdout)).toMatchObject({ captioned: 16, failed: 0 });
    const keys: string[] = [];
    for await (const key of bucket.list('out/')) keys.push(key);
    const files = await readdir(folder, { recursive: true, withFileTypes: true });
    const paths = files.filter((file) => file.isFile()).map((file) => join(file.parentPath, file.name));
    expect(keys.toSorted()).toEqual(paths.map((path) => `out${path.slice(folder.length)}`).toSorted());
    for (const path of paths) {
      const there = Buffer.from((await bucket.read(`out${path.slice(folder.length)}`)) ?? []);
      expect(there.equals(await readFile(path))).toBe(true);
    }
    for (const lost of ['out/.blip2-run/00001.jsonl', 'out/00002.parquet']) {
      await bucket.remove(lost);
      expect(JSON.parse((await run(`s3://${name}/out`)).stdout)).toMatchObject({ captioned: 16, shardsLeft: 0 });
      expect(await bucket.exists(lost)).toBe(true);
    }
  });

  /** Archives and tables that other tools have written, with what those read in them: `make.py` there. */
  const FIXTURES = join(ROOT, 'test/fixtures/bulk');

  async function put(key: string, bytes: Uint8Array | string): Promise<string> {
    const file = join(scratch, 'put');
    await writeFile(file, bytes);
    await bucket.upload(key, file);
    return `s3://${name}/${key}`;
  }

  async function listed(arg: string, imageColumn?: string): Promise<InputPicture[]> {
    const pictures: InputPicture[] = [];
    const none = () => Promise.reject(new Error('nothing is looked for in folders'));
    for await (const picture of listInputs([arg], { expand: none, imageColumn })) pictures.push(picture);
    return pictures;
  }

  /** Hash and path of what each picture gives, or the code of what is wrong with it. */
  async function found(pictures: readonly InputPicture[]): Promise<(readonly [string | null, string | null])[]> {
    await using reader = new PictureReader('/pictures');
    const all: (readonly [string | null, string | null])[] = [];
    for (const picture of pictures) {
      const none = (error: unknown) => {
        if (error instanceof Blip2Error && error.code === 'IMAGE_NOT_FOUND') return { source: '', path: null };
        throw error;
      };
      const place = await reader.find(picture).catch(none);
      const source = await reader.load(place).catch(() => '');
      const { path } = place;
      const hash = typeof source === 'string' ? null : createHash('sha256').update(source).digest('hex');
      all.push([hash, 'tar' in picture ? picture.name : path]);
    }
    return all;
  }

  it('holds archives and tables, which give what tarfile and pyarrow read', async () => {
    const expected = expectedJson.parse(JSON.parse(await readFile(join(FIXTURES, 'expected.json'), 'utf8')));
    for (const [file, rows] of Object.entries(expected)) {
      const pictures = await listed(await put(`archives/${file}`, await readFile(join(FIXTURES, file))));
      const wanted = file.endsWith('.tar') ? rows.map(([member, hash]) => [hash, member]) : rows;
      expect([file, await found(pictures)]).toEqual([file, wanted]);
    }
    for (const file of ['cut-member.tar', 'cut-header.tar', 'no-tar.tar']) {
      const url = await put(`archives/${file}`, await readFile(join(FIXTURES, file)));
      await expect(listed(url)).rejects.toMatchObject({ code: 'INPUT_INVALID' });
    }
    for (const end of ['tar', 'parquet', 'jsonl']) {
      const missing = listed(`s3://${name}/archives/missing.${end}`);
      await expect(missing).rejects.toMatchObject({
        code: 'INPUT_INVALID',
        message: expect.stringContaining('no s3:'),
      });
    }
    await expect(listed(`s3://${name}/archives`)).rejects.toMatchObject({
      hint: expect.stringMatching(/by their own names, such as s3:.*\.(tar|parquet)/),
    });
  });

  it('holds archives that are larger than what is read at once, read from any place', async () => {
    const archive = pack();
    const members = Array.from({ length: 40 }, (_, index) => randomBytes(index % 7 === 3 ? 3_000_000 : 300_000));
    for (const [index, bytes] of members.entries()) archive.entry({ name: `${index}.jpg` }, bytes);
    archive.finalize();
    const chunks: Buffer[] = [];
    for await (const chunk of archive) chunks.push(Buffer.from(chunk as Uint8Array));
    const whole = Buffer.concat(chunks);
    const hashes = members.map((bytes) => createHash('sha256').update(bytes).digest('hex'));
    for (const [key, bytes] of [
      ['large.tar', whole],
      ['large.tar.gz', gzipSync(whole, { level: 1 })],
    ] as const) {
      const pictures = await listed(await put(key, bytes));
      const order = [...pictures.keys(), 20, 21, 5, 39, 0];
      const wanted = order.flatMap((index) => pictures[index] ?? []);
      expect((await found(wanted)).map(([hash]) => hash)).toEqual(order.map((index) => hashes[index]));
    }
  });

  it('holds lists, whose paths are keys beside them', async () => {
    const shape = await readFile(join(ROOT, DEMO, 'pictures/shape-00.png'));
    const lines = [
      '{"path": "../in/shape-00.png"}',
      `{"path": "s3://${name}/in/shape-00.png"}`,
      '{"path": "none.png"}',
    ];
    const pictures = await listed(await put('lists/list.jsonl', `${lines.join('\n')}\n`));
    expect(pictures).toEqual([
      { name: '../in/shape-00.png', path: `s3://${name}/in/shape-00.png`, beneath: 'shape-00.png' },
      { name: `s3://${name}/in/shape-00.png`, beneath: 'shape-00.png' },
      { name: 'none.png', path: `s3://${name}/lists/none.png`, beneath: 'none.png' },
    ]);
    const hash = createHash('sha256').update(shape).digest('hex');
    expect((await found(pictures)).map(([each]) => each)).toEqual([hash, hash, null]);
    const broken = await put('lists/broken.jsonl', '{"path": "a.png"}\n{"path"');
    await expect(listed(broken)).rejects.toMatchObject({ message: expect.stringContaining('line 2') });
  });

  it('says that an object was replaced while it was read', async () => {
    await using source = await ObjectSource.open(await put('changing.tar', 'first'));
    expect(Buffer.from(await source.read(0, 5)).toString()).toBe('first');
    await put('changing.tar', 'other');
    await expect(source.read(0, 5)).rejects.toMatchObject({ code: 'BUCKET_FAILED', message: /was replaced/ });
  });

  it('is captioned from as folders are, without a word of the SDK about Node', async () => {
    const records = async (inputs: readonly string[], out: string) => {
      const ran = await command('blip2-run', [...inputs, '-m', DEMO, '--out', out, '--shard-size', '2', '-q']);
      expect(ran.stderr).toBe('');
      const names = (await readdir(out)).filter((file) => file.endsWith('.jsonl')).toSorted();
      const texts = await Promise.all(names.map((file) => readFile(join(out, file), 'utf8')));
      return `${texts.join('')}exit status ${ran.code}`;
    };
    const files = ['webdataset.tar', 'compressed.tar', 'zstd.parquet'];
    const urls: string[] = [];
    for (const file of files) urls.push(await put(`archives/${file}`, await readFile(join(FIXTURES, file))));
    const there = await records(urls, join(scratch, 'there'));
    const paths = files.map((file) => join(FIXTURES, file));
    const here = await records(paths, join(scratch, 'here'));
    expect(there.replaceAll(`s3://${name}/archives/`, '')).toBe(here.replaceAll(`${FIXTURES}/`, ''));
  });
});
