/** Shards that change between the opening of a checkpoint and its use, and while they are in use. */
import { copyFile, cp, mkdtemp, readFile, rename, rm, stat, truncate, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type * as Loader from '../../src/loader/index.js';
import type * as Runtime from '../../src/runtime/index.js';

const ROOT = join(import.meta.dirname, '../..');
const DEMO = join(ROOT, 'models/demo');
// As built: a process cannot be made of a TypeScript source.
const built = (part: string): string => pathToFileURL(join(ROOT, `dist/src/${part}/index.js`)).href;
const { mapTensors, openCheckpoint } = (await import(built('loader'))) as typeof Loader;
const { createCaptioner } = (await import(built('runtime'))) as typeof Runtime;
const shardOf = (number: number) => `model-0000${number}-of-00003.safetensors`;

let folder: string;
let shard: string;
beforeEach(async () => {
  folder = join(await mkdtemp(join(tmpdir(), 'blip2-changed-')), 'demo');
  await cp(DEMO, folder, { recursive: true });
  shard = join(folder, shardOf(2));
});
afterEach(() => rm(join(folder, '..'), { recursive: true }));

/** A change that keeps what the one before it would be noticed by. */
const CHANGES: readonly (readonly [string, () => Promise<void>])[] = [
  ['another shard is copied over it', () => copyFile(join(folder, shardOf(1)), shard)],
  ['it is cut off', () => truncate(shard, 1000)],
  ['it is removed', () => rm(shard)],
  [
    'bytes of it change, its size does not',
    async () => {
      const bytes = await readFile(shard);
      await writeFile(shard, bytes.fill(0, bytes.length / 2));
    },
  ],
  [
    'another file with its size and time takes its name',
    async () => {
      const { atime, mtime } = await stat(shard);
      await writeFile(`${shard}.new`, await readFile(shard));
      await utimes(`${shard}.new`, atime, mtime);
      await rename(`${shard}.new`, shard);
    },
  ],
];

describe('a shard that changes after the checkpoint was opened', () => {
  it.each(CHANGES)('%s: refused, in a process or not', async (_, change) => {
    const checkpoint = await openCheckpoint(folder);
    await change();
    const refused = {
      name: 'SafetensorsError',
      code: 'FILE_CHANGED',
      message: expect.stringContaining(shardOf(2)) as string,
      hint: 'Open the checkpoint again.',
    };
    await expect(createCaptioner(checkpoint, { inProcess: true })).rejects.toMatchObject(refused);
    await expect(createCaptioner(checkpoint)).rejects.toMatchObject(refused);
    await expect(mapTensors(checkpoint, checkpoint.tensors.keys())).rejects.toMatchObject(refused);
  });

  it.runIf(process.platform === 'linux')('the model of one that is cut off while it is in use says so', async () => {
    await using captioner = await createCaptioner(await openCheckpoint(folder));
    const caption = async () => {
      for await (const { text } of captioner.caption(join(DEMO, 'pictures/shape-00.png'))) return text;
    };
    expect(await caption()).toContain('ring');
    await truncate(shard, 0);
    await expect(caption()).rejects.toMatchObject({
      code: 'PROCESS_ENDED',
      message: expect.stringContaining('SIGBUS: a weight file was shortened while it was in use') as string,
      hint: expect.stringContaining('renaming others over them') as string,
    });
  });
});
