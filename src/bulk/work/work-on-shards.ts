import type { FetchOptions } from '../../runtime/image/fetch-picture.js';
import type { CaptionRecord } from '../caption-record.js';
import { captionShards } from '../run/caption-shards.js';
import type { CaptionWorker } from '../run/caption-pictures.js';
import { HandedShards, type HandedShardsOptions } from './handed-shards.js';

export interface WorkOptions extends HandedShardsOptions {
  readonly workers: number;
  readonly openWorker: (worker: number) => Promise<CaptionWorker>;
  readonly imageRoot?: string | undefined;
  readonly fetching?: FetchOptions | undefined;
  readonly onRecord: (record: CaptionRecord) => void;
  /** Gives back what is in hand at once. */
  readonly signal: AbortSignal;
}

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
    await captionShards({ ...options, queue: shards, finish: (job) => shards.finish(job), onRecord });
  } catch (error) {
    await shards.end(signal.aborted ? undefined : error);
    throw error;
  }
  await shards.end(undefined);
}
