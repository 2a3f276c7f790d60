import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { CaptionRecord } from '../caption-record.js';
import { RunFolder } from '../run/run-folder.js';
import { ShardJob } from '../run/shard-job.js';
import type { FinishedShard } from '../run/shard-output.js';
import { EXISTING, SidecarOutput } from './sidecar-output.js';

let scratch: string;
let folder: RunFolder;
beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'blip2-sidecar-test-'));
  folder = new RunFolder(scratch, null);
  await folder.prepare();
});
afterEach(() => rm(scratch, { recursive: true, force: true }));

const record = (text: string | null): CaptionRecord => ({
  file_name: 'x',
  text,
  tokens: [],
  truncated: false,
  error: text === null ? 'IMAGE_UNREADABLE: nothing' : '',
});

const shardOf = (texts: readonly (string | null)[], kept: readonly number[] = []): FinishedShard => ({
  shard: 0,
  first: 0,
  pictures: texts.map((_, index) => ({ name: `p${index}.jpg`, beneath: `sub/p${index}.jpg` })),
  records: texts.map(record),
  kept: new Set(kept),
});

const output = (existing: (typeof EXISTING)[number]) =>
  new SidecarOutput(folder, { beside: false, existing, prefix: '<', suffix: '>' });

const read = (index: number) => readFile(join(scratch, `sub/p${index}.txt`), 'utf8');

it.each(EXISTING)('writes a shard to its end that was killed on the way, each text once (%s)', async (existing) => {
  const shard = shardOf(['a', null, 'b\n  c']);
  await output('overwrite').write(shardOf(['before', 'before', 'before']));
  await rm(folder.pendingFile(0));
  await output(existing).write(shard);
  const texts = [await read(0), await read(1), await read(2)];
  const before = existing === 'append' ? '<before>, ' : '';
  expect(texts).toEqual([`${before}<a>\n`, '<before>\n', `${before}<b c>\n`]);
  // As if it had been killed before the first of them was written, and again after the last.
  await writeFile(join(scratch, 'sub/p0.txt'), '<before>\n');
  for (const _ of [1, 2]) await output(existing).write(shard);
  expect([await read(0), await read(1), await read(2)]).toEqual(texts);
});

it('appends a caption once, however often a run over more and more pictures comes to it', async () => {
  await output('overwrite').write(shardOf(['old', 'old <a>']));
  for (const texts of [['a'], ['a', 'a'], ['a', 'a', 'c']]) {
    await folder.forget();
    await output('append').write(shardOf(texts));
  }
  expect([await read(0), await read(1), await read(2)]).toEqual(['<old>, <a>\n', '<old <a>>, <a>\n', '<c>\n']);
});

it('writes only the captions that are new, whatever an earlier writing has left', async () => {
  await output('append').write(shardOf(['a', null, 'c']));
  expect((await stat(folder.pendingFile(0))).isFile()).toBe(true);
  await output('append').write(shardOf(['a', 'b', 'c'], [0, 2]));
  expect([await read(0), await read(1), await read(2)]).toEqual(['<a>\n', '<b>\n', '<c>\n']);
});

it.each(EXISTING)(
  'writes the caption that a picture has now, where a killed run was writing another (%s)',
  async (existing) => {
    const before = existing === 'append' ? '<old>, ' : '';
    if (existing === 'append') await output('overwrite').write(shardOf(['old', 'old']));
    await output(existing).write(shardOf(['a', 'b']));
    // As if it had been killed before the last text, and the first picture were another one since.
    await writeFile(join(scratch, 'sub/p1.txt'), before === '' ? '' : '<old>\n');
    const job = await ShardJob.open({ shard: 0, first: 0, pictures: shardOf(['', '']).pictures });
    await output(existing).begin(job);
    expect(job.missing).toEqual([0, 1]);
    await output(existing).write(shardOf(['c', 'b']));
    expect([await read(0), await read(1)]).toEqual([
      existing === 'append' ? '<old>, <a>, <c>\n' : '<c>\n',
      `${before}<b>\n`,
    ]);
  },
);

it('appends a caption once that ends in a blank', async () => {
  const blank = new SidecarOutput(folder, { beside: false, existing: 'append', prefix: '', suffix: ', ' });
  for (const _ of [1, 2, 3]) {
    await folder.forget();
    await blank.write(shardOf(['a']));
  }
  expect(await read(0)).toBe('a, \n');
});

it.each([true, false])('writes no text over its picture (beside: %s)', (beside) => {
  const sidecars = new SidecarOutput(folder, { beside, existing: 'overwrite', prefix: '', suffix: '' });
  const picture = (name: string) => ({ name: join(scratch, name), beneath: name });
  expect(sidecars.target(picture('photo.jpg'))).toBe(join(scratch, 'photo.txt'));
  expect(() => sidecars.target(picture('photo.txt'))).toThrow(expect.objectContaining({ code: 'OUTPUT_IMPOSSIBLE' }));
});
