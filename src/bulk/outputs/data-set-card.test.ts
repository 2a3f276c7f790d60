import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { CaptionRecord } from '../caption-record.js';
import type { InputPicture } from '../inputs/input-picture.js';
import { InputList } from '../run/input-list.js';
import { RunFolder } from '../run/run-folder.js';
import { JsonlOutput } from './jsonl-output.js';
import { WebdatasetOutput } from './webdataset-output.js';

let scratch: string;
let card: string;
let folder: RunFolder;
beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'blip2-card-test-'));
  card = join(scratch, 'README.md');
  folder = new RunFolder(scratch, 'jsonl');
  await folder.prepare();
});
afterEach(() => rm(scratch, { recursive: true, force: true }));

const file = { file_name: 'x', text: 'a', tokens: [1], truncated: false, error: '' };
const row = { ...file, archive: 't.parquet', row: 0 };
const failed = { ...file, text: null, tokens: [], error: 'IMAGE_UNREADABLE: x' };
const several = { ...file, answers: [{ text: 'a', tokens: [1] }] };

/** A list of shards of these records, six a shard. */
async function listOf(records: readonly CaptionRecord[]): Promise<InputList> {
  const pictures = async function* (): AsyncGenerator<InputPicture> {
    for (const { file_name: name } of records) yield await Promise.resolve({ name, beneath: name });
  };
  for (let begin = 0; begin < records.length; begin += 6) {
    await folder.writeRecords(begin / 6, records.slice(begin, begin + 6));
  }
  return InputList.write(folder.inputList, pictures(), 6, () => Promise.resolve());
}

const six = <T>(record: T): T[] => Array.from({ length: 6 }, () => record);

it.each([
  ['nothing', [...six(file), ...six(failed)], false, false],
  ['nothing', [...six(row), ...six(file)], false, false],
  ['the types of captions', [...six(failed), file], true, true],
  ['the types of archives', [...six(file), row], true, true],
  ['the types of answers', [...six(failed), several], true, true],
  // What the loader of archives looks at are the first five samples.
  ['the types of archives', [...six(file).with(5, row), file], false, true],
])('states %s', async (_, records, ofRows, ofArchives) => {
  const list = await listOf(records);
  const isThere = async () => (await readdir(scratch)).includes('README.md');
  await new JsonlOutput(folder).finish(list);
  expect(await isThere()).toBe(ofRows);
  await rm(card, { force: true });
  await new WebdatasetOutput(folder, () => 'png').finish(list);
  expect(await isThere()).toBe(ofArchives);
});

it('leaves a README.md that is there', async () => {
  await writeFile(card, 'mine');
  await new JsonlOutput(folder).finish(await listOf([...six(failed), file]));
  expect(await readFile(card, 'utf8')).toBe('mine');
});
