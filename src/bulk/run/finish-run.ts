import type { ShardOutput } from './shard-output.js';
import type { InputList } from './input-list.js';
import { confirmRun, type RunInHand } from './run-file.js';
import type { RunFolder } from './run-folder.js';

/** Of more shards than these, others are at work, not at their end. */
const MOST_ASKED = 100;

interface Run extends RunInHand {
  readonly list: InputList;
}

/**
 * Writes what is made of all shards, once all of them are there.
 * @throws Blip2Error as `confirmRun`
 * @returns shards of all runs on the folder that are not finished
 */
export async function finishRun(folder: RunFolder, output: ShardOutput, run: Run): Promise<number> {
  await confirmRun(folder, run);
  const { list } = run;
  const left = await withoutFinished(folder, await openShards(folder, list.shards));
  if (left.length === 0) await output.finish?.(list);
  return left.length;
}

/**
 * A network file system may list a folder as it was a minute ago, and knows each file that is asked for: the last of several
 * machines would see no end.
 */
async function withoutFinished(folder: RunFolder, left: readonly number[]): Promise<number[]> {
  if (left.length > MOST_ASKED) return [...left];
  const isFinished = await Promise.all(left.map((shard) => folder.isFinished(shard)));
  return left.filter((_, index) => isFinished[index] === false);
}

/** Shards that are not finished, in order. */
export async function openShards(folder: RunFolder, shards: number): Promise<number[]> {
  const finished = await folder.finishedShards();
  return Array.from({ length: shards }, (_, shard) => shard).filter((shard) => !finished.has(shard));
}
