import type { ShardOutput } from './shard-output.js';
import type { InputList } from './input-list.js';
import { confirmRun, type RunInHand } from './run-file.js';
import type { RunFolder } from './run-folder.js';

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
  const left = await openShards(folder, list.shards);
  if (left.length === 0) await output.finish?.(list);
  return left.length;
}

/** Shards that are not finished, in order. */
export async function openShards(folder: RunFolder, shards: number): Promise<number[]> {
  const finished = await folder.finishedShards();
  return Array.from({ length: shards }, (_, shard) => shard).filter((shard) => !finished.has(shard));
}
