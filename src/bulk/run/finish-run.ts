import type { ShardOutput } from './shard-output.js';
import type { InputList } from './input-list.js';
import type { RunFolder } from './run-folder.js';

/**
 * Writes what is made of all shards, once all of them are there.
 * @returns shards of all runs on the folder that are not finished
 */
export async function finishRun(folder: RunFolder, output: ShardOutput, list: InputList): Promise<number> {
  const left = await openShards(folder, list.shards);
  if (left.length === 0) await output.finish?.(list);
  return left.length;
}

/** Shards that are not finished, in order. */
export async function openShards(folder: RunFolder, shards: number): Promise<number[]> {
  const finished = await folder.finishedShards();
  return Array.from({ length: shards }, (_, shard) => shard).filter((shard) => !finished.has(shard));
}
