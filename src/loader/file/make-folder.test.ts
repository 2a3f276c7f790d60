import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { makeFolder } from './make-folder.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'blip2-folder-'));
});
afterAll(() => rm(folder, { recursive: true }));

it('makes what is missing, however many ask at once, and takes what is there', async () => {
  await makeFolder(folder);
  for (let round = 0; round < 100; round++) {
    const path = join(folder, `${round}/a/b/c`);
    await Promise.all([path, dirname(path), dirname(dirname(path)), path].map(makeFolder));
    await makeFolder(path);
    expect((await stat(path)).isDirectory()).toBe(true);
  }
});

const refusal = (why: string) => ({ code: 'OUTPUT_INVALID', cause: { code: why } });

it('says why not', async () => {
  const file = join(folder, 'file');
  await writeFile(file, '');
  await expect(makeFolder(file)).rejects.toMatchObject(refusal('EEXIST'));
  await expect(makeFolder(join(file, 'below/it'))).rejects.toMatchObject(refusal('ENOTDIR'));
});

it.runIf(process.platform === 'linux')('ends where a folder refuses', async () => {
  await expect(makeFolder('/proc/no/such/folder')).rejects.toMatchObject(refusal('ENOENT'));
});
