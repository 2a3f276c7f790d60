import { randomBytes } from 'node:crypto';
import type { ShardOutput } from '../run/shard-output.js';
import { finishRun } from '../run/finish-run.js';
import type { InputList } from '../run/input-list.js';
import { confirmRun, type RunSettings } from '../run/run-file.js';
import type { RunFolder } from '../run/run-folder.js';
import { ShardJob } from '../run/shard-job.js';
import { workOnShards, type WorkOptions } from '../work/work-on-shards.js';

export interface QueueWorkOptions extends Omit<WorkOptions, 'open' | 'write'> {
  readonly folder: RunFolder;
  readonly output: ShardOutput;
  readonly list: InputList;
  readonly settings: RunSettings;
  readonly shardSize: number;
}

/**
 * Captions shards of a run that many machines share, into the folder that all of them see. What a worker that was frozen
 * writes late has the same bytes under the same name.
 * @returns shards that nobody has finished
 */
export async function workOnQueue(options: QueueWorkOptions): Promise<number> {
  const { folder, output, list, shardSize } = options;
  const writer = randomBytes(6).toString('hex');
  await workOnShards({
    ...options,
    open: async ({ shard }) => {
      if (await folder.isFinished(shard)) return null;
      await confirmRun(folder, options);
      const pictures = await list.read(shard);
      const journal = await folder.journal(shard, writer);
      const spool = output.holdsPictures === true ? folder.spool(shard, writer) : undefined;
      const job = await ShardJob.open({ shard, first: shard * shardSize, pictures, journal, spool });
      await output.begin?.(job);
      return job;
    },
    write: async (job) => {
      await confirmRun(folder, options);
      if (await folder.isFinished(job.shard)) {
        await folder.removeStateOf(job.shard);
        return job.records;
      }
      const written = (await output.write?.(job)) ?? job.records;
      await folder.writeRecords(job.shard, written);
      return written;
    },
  });
  const left = await finishRun(folder, output, options);
  // What killed workers have left half-written, and frozen ones have added to shards that were finished meanwhile.
  if (left === 0) {
    await folder.prepare();
    await folder.removeLeftOvers(new Set(Array(list.shards).keys()));
  }
  return left;
}
