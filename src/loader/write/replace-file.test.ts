import { execFileSync } from 'node:child_process';
import { lstat, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { replaceFile } from './replace-file.js';
import { writeTarget } from './write-target.js';

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'blip2-replace-'));
  path = join(folder, 'file');
});
afterEach(() => rm(folder, { recursive: true }));

const write = (text: string, to = path, options = {}) => replaceFile(to, (handle) => handle.writeFile(text), options);
const inFolder = async () => (await readdir(folder)).sort();

describe('replaceFile', () => {
  it('takes the longest names, and any bytes in them', async () => {
    const name = `${'ä'.repeat(126)}.x`;
    await write('text', join(folder, name));
    expect(await inFolder()).toEqual([name]);
  });

  it('keeps what another process has made meanwhile where that is good, and replaces it where it is not', async () => {
    for (const isGood of [true, false]) {
      await rm(path, { force: true });
      await replaceFile(
        path,
        async (handle) => {
          await handle.writeFile('ours');
          await writeFile(path, 'theirs');
        },
        { isGood: () => Promise.resolve(isGood) },
      );
      expect(await readFile(path, 'utf8')).toBe(isGood ? 'theirs' : 'ours');
      expect(await inFolder()).toEqual(['file']);
    }
  });

  it('takes a name that appears and goes meanwhile for a file, or for none', async () => {
    const done = new AbortController();
    const others = async () => {
      while (!done.signal.aborted) {
        await writeFile(path, 'theirs');
        await rm(path);
      }
    };
    const busy = others();
    const kinds = new Set<string>();
    for (let times = 0; times < 2000; times++) kinds.add((await writeTarget(path)).kind);
    done.abort();
    await busy;
    expect([...kinds].toSorted()).toEqual(['file', 'none']);
  });

  it.runIf(process.platform !== 'win32')('replaces the file that a link leads to, not the link', async () => {
    await writeFile(join(folder, 'target'), 'before');
    await symlink('target', path);
    await write('after');
    expect((await lstat(path)).isSymbolicLink()).toBe(true);
    expect(await readFile(join(folder, 'target'), 'utf8')).toBe('after');
    expect(await inFolder()).toEqual(['file', 'target']);
  });

  it.runIf(process.platform !== 'win32')('refuses what is no file', async () => {
    const [fifo, broken, device] = [join(folder, 'fifo'), join(folder, 'broken'), join(folder, 'null')];
    execFileSync('mkfifo', [fifo]);
    await symlink('nothing', broken);
    await symlink('/dev/null', device);
    const before = await inFolder();
    for (const [name, kind] of [
      [fifo, 'FIFO'],
      [broken, 'broken link'],
      [device, 'device'],
      [folder, 'folder'],
    ] as const) {
      await expect(write('text', name)).rejects.toMatchObject({
        code: 'WRITE_FAILED',
        message: `${name} is a ${kind}: it was not replaced`,
      });
    }
    expect(await inFolder()).toEqual(before);
  });

  it('names what the system says, with the file', async () => {
    const nowhere = join(folder, 'no/such/file');
    await expect(write('text', nowhere)).rejects.toMatchObject({
      code: 'WRITE_FAILED',
      message: expect.stringMatching(/^.+no.such.file was not written: ENOENT/) as string,
    });
    await expect(replaceFile(path, () => Promise.reject(new Error('mine')))).rejects.toThrow(/^mine$/);
    expect(await inFolder()).toEqual([]);
  });
});
