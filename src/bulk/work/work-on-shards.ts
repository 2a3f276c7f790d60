import type { CaptionRecord } from '../caption-record.js';
import { captionShards, type CaptionShards } from '../run/caption-shards.js';
import { ShardQueue } from '../run/shard-queue.js';
import { HandedShards, type HandedShardsOptions } from './handed-shards.js';

/** At `signal` what is in hand is given back at once. */
export interface WorkOptions extends HandedShardsOptions, Omit<CaptionShards, 'queue' | 'finish'> {}

/**
 * Captions shards until their giver has no more, or `stopping` or `signal` is aborted.
 * @throws what `captionShards` throws, once the giver knows of it; the signal's reason
 */
export async function workOnShards(options: WorkOptions): Promise<void> {
  const { signal } = options;
  const shards = new HandedShards(options);
  const onRecord = (record: CaptionRecord) => {
    options.onRecord(record);
    shards.notice();
  };
  try {
    await captionShards({
      ...options,
      queue: new ShardQueue(shards.jobs()),
      finish: (job) => shards.finish(job),
      onRecord,
    });
  } catch (error) {
    await shards.end(signal.aborted ? undefined : error);
    throw error;
  }
  await shards.end(undefined);
}
