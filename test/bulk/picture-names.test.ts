/** Which files are pictures by their names: the same in a folder and in an archive of it. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { findPictures } from '../../cli/run/find-pictures.js';
import { tarPictures } from '../../src/bulk/inputs/tar-input.js';

const run = promisify(execFile);

const PICTURES = [
  ...'jpg jpeg jpe jfif jif pjpeg pjp mpo png apng webp gif tif tiff avif avifs bmp pbm pgm pnm ppm'.split(' '),
  ...'JPG Png JFIF'.split(' '),
].map((extension) => `picture-${extension}.${extension}`);
const INSIDE = ['a/__thumbs__/inside.png', 'a.b/c.d.jpg'];
const OTHERS = ['.hidden.png', 'a.txt', 'b.json', 'png', 'c.jpg.txt'];

let scratch: string;
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'blip2-picture-names-'));
  for (const name of [...PICTURES, ...INSIDE, ...OTHERS]) {
    await mkdir(dirname(join(scratch, 'in', name)), { recursive: true });
    await writeFile(join(scratch, 'in', name), name);
  }
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

it('are those of all formats that are read', async () => {
  const folder = join(scratch, 'in');
  const { pictures } = await findPictures(folder, true);
  expect(pictures.map((path) => relative(folder, path)).toSorted()).toEqual([...PICTURES, ...INSIDE].toSorted());
});

it('are the same in an archive', async () => {
  await run('tar', ['-cf', join(scratch, 'in.tar'), '-C', join(scratch, 'in'), '.']);
  const names: string[] = [];
  for await (const { name } of tarPictures(join(scratch, 'in.tar'))) names.push(name.replace(/^\.\//, ''));
  expect(names.toSorted()).toEqual([...PICTURES, ...INSIDE].toSorted());
});

it("but for those in an archive's own folder of notes, which webdataset passes over", async () => {
  const notes = join(scratch, 'notes');
  await mkdir(join(notes, '__notes__'), { recursive: true });
  for (const name of ['__notes__/a.png', 'b.png']) await writeFile(join(notes, name), name);
  await run('tar', ['-cf', join(scratch, 'notes.tar'), '-C', notes, '__notes__', 'b.png']);
  const names: string[] = [];
  for await (const { name } of tarPictures(join(scratch, 'notes.tar'))) names.push(name);
  expect(names).toEqual(['b.png']);
});

it('are missed where an archive has none, but not in one that is empty, as that of a shard that failed', async () => {
  const none = join(scratch, 'none');
  await mkdir(none);
  await writeFile(join(none, 'a.heic'), 'a');
  await run('tar', ['-cf', join(scratch, 'none.tar'), '-C', none, '.']);
  const first = (name: string) => tarPictures(join(scratch, name)).next();
  await expect(first('none.tar')).rejects.toMatchObject({
    code: 'INPUT_INVALID',
    message: expect.stringContaining('(.heic)'),
  });
  await run('tar', ['-cf', join(scratch, 'empty.tar'), '-T', '/dev/null']);
  expect(await first('empty.tar')).toMatchObject({ done: true });
});
