import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { InputPicture } from '../inputs/input-picture.js';
import { finishRun } from './finish-run.js';
import { openRun } from './open-run.js';
import { RunFolder } from './run-folder.js';

/** Lists what was there when it was opened, as a network file system may for a while. */
class LateFolder extends RunFolder {
  override finishedShards(): Promise<Set<number>> {
    return Promise.resolve(new Set());
  }
}

async function* pictures(): AsyncGenerator<InputPicture> {
  for (const name of ['a', 'b', 'c']) yield await Promise.resolve({ name, beneath: name });
}

it('asks for the files of shards that a listing does not show', async () => {
  const path = await mkdtemp(join(tmpdir(), 'blip2-finish-run-test-'));
  const folder = new LateFolder(path, 'jsonl');
  let finished = 0;
  const output = {
    write: () => Promise.resolve([]),
    finish: () => {
      finished += 1;
      return Promise.resolve();
    },
  };
  const list = await openRun(folder, output, pictures(), { settings: {}, shardSize: 1, takesOtherInputs: false });
  const record = { file_name: 'a', text: 'a', tokens: [], truncated: false, error: '' };
  for (const [shard, left] of [
    [0, 2],
    [1, 1],
    [2, 0],
  ] as const) {
    await folder.writeRecords(shard, [record]);
    expect(await finishRun(folder, output, { settings: {}, list })).toBe(left);
    expect(finished).toBe(left === 0 ? 1 : 0);
  }
  await rm(path, { recursive: true });
});
