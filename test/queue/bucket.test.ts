/** `s3://` against the server that BLIP2_TEST_S3 names (moto_server or versitygw; AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are its). */
import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Bucket } from '../../src/bulk/bucket/bucket.js';
import { command, DEMO, ROOT } from '../cli/command.js';

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
    await bucket.remove('out/.blip2-run/00001.jsonl');
    expect(JSON.parse((await run(`s3://${name}/out`)).stdout)).toMatchObject({ captioned: 16, shardsLeft: 0 });
    expect(await bucket.exists('out/.blip2-run/00001.jsonl')).toBe(true);
  });
});
