import { appendFile, copyFile, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { materializeTensors, openCheckpoint, quantizeCheckpoint, type Checkpoint } from '../index.js';
import { listCache, removeCached } from './list-cache.js';

const SHARD = join(import.meta.dirname, '../../../models/demo/model-00001-of-00003.safetensors');

let folder: string;
let cacheFolder: string;
let source: string;
let checkpoint: Checkpoint;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'blip2-cache-'));
  cacheFolder = join(folder, 'cache');
  source = join(folder, 'model.safetensors');
  await copyFile(SHARD, source);
  checkpoint = await openCheckpoint(source);
});
afterEach(() => rm(folder, { recursive: true }));

/** Names of some matrices that can be quantised. */
const matrices = (): string[] =>
  [...checkpoint.tensors].flatMap(([name, { shape }]) => (shape.length === 2 ? [name] : [])).slice(0, 2);

async function convert(): Promise<string> {
  const { file } = await materializeTensors(checkpoint, new Map(matrices().map((name) => [name, 'F16'])), cacheFolder);
  return file ?? '';
}

describe('the cache of converted weights', () => {
  it('is empty before there is a folder', async () => {
    expect(await listCache(cacheFolder)).toEqual([]);
  });

  it('lists what is kept and what it is made of, and nothing else in the folder', async () => {
    const path = await convert();
    await writeFile(join(cacheFolder, 'machine.json'), '{}');
    const weights = matrices().map((name) => ({ name, source: name, scheme: 'int4' as const }));
    await quantizeCheckpoint(checkpoint, weights, cacheFolder);
    const files = await listCache(cacheFolder);
    expect(files.map(({ holds }) => holds)).toEqual([['F16'], ['int4']]);
    expect(files[0]).toMatchObject({ path, madeOf: [source], isStale: false });
    expect(path).toContain(files[0]?.id);
    expect(files[0]?.sizeBytes).toBeGreaterThan(files[1]?.sizeBytes ?? Infinity);
  });

  it('finds stale what a run would make again, and what is made of that', async () => {
    const weights = matrices().map((name) => ({ name, source: name, scheme: 'int8' as const }));
    const quantized = await quantizeCheckpoint(checkpoint, weights, cacheFolder);
    const scales = [...quantized.tensors.keys()].filter((name) => name.endsWith('_scales'));
    await materializeTensors(quantized, new Map(scales.map((name) => [name, 'F32'])), cacheFolder);
    expect((await listCache(cacheFolder)).map(({ isStale }) => isStale)).toEqual([false, false]);
    await appendFile(source, ' ');
    expect((await listCache(cacheFolder)).map(({ isStale }) => isStale)).toEqual([true, true]);
  });

  it('finds stale what is made of a file that is gone, and what does not say or cannot be read', async () => {
    await convert();
    await rm(source);
    await copyFile(SHARD, join(cacheFolder, `${'0'.repeat(32)}.safetensors`));
    await writeFile(join(cacheFolder, `${'1'.repeat(32)}.safetensors`), 'no shard');
    const files = await listCache(cacheFolder);
    expect(files.map(({ isStale, madeOf }) => [isStale, madeOf])).toEqual([
      [true, []],
      [true, [source]],
      [true, []],
    ]);
  });

  it('is refused where it cannot be written', async () => {
    cacheFolder = join(source, 'below-a-file');
    await expect(convert()).rejects.toMatchObject({
      code: 'CACHE_FOLDER',
      message: expect.stringMatching(/cannot be kept in .*below-a-file: .*ENOTDIR/),
    });
  });

  it('loses what is removed, and a run makes it again', async () => {
    const path = await convert();
    await removeCached(await listCache(cacheFolder));
    expect(await readdir(cacheFolder)).toEqual([]);
    expect(await convert()).toBe(path);
    expect(await listCache(cacheFolder)).toMatchObject([{ path, isStale: false }]);
  });
});
