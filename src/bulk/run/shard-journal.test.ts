import { appendFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { PlacedRecord } from '../caption-record.js';
import { RunFolder } from './run-folder.js';

const placed = (position: number, text: string): PlacedRecord => ({
  position,
  record: { file_name: `p${position}`, text, tokens: [], truncated: false, error: '' },
});

it('goes on from what all writers of a shard have, each in a file of its own', async () => {
  const path = await mkdtemp(join(tmpdir(), 'blip2-journal-test-'));
  const folder = new RunFolder(path, 'jsonl');
  await folder.prepare();
  const all = () => true;
  const first = await folder.journal(3, 'a1');
  expect(await first.reopen(all)).toEqual([]);
  first.add(placed(0, 'zero'));
  first.add(placed(1, 'one'));
  await first.flush();
  await appendFile(join(path, '.blip2-run/00003.a1.journal'), '{"position": 2, "rec');
  const second = await folder.journal(3, 'b2');
  expect(await second.reopen(all)).toEqual([placed(0, 'zero'), placed(1, 'one')]);
  second.add(placed(2, 'two'));
  // The first one was frozen, and goes on.
  first.add(placed(2, 'two'));
  await Promise.all([first.flush(), second.flush()]);
  expect(await (await folder.journal(3)).reopen(({ position }) => position > 0)).toEqual([
    placed(1, 'one'),
    placed(2, 'two'),
  ]);
  expect(await (await folder.journal(33)).reopen(all)).toEqual([]);
  await folder.writeRecords(3, [placed(0, 'zero').record]);
  expect(await (await folder.journal(3)).reopen(all)).toEqual([]);
  await rm(path, { recursive: true });
});
