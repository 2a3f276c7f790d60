import type { ShardJob } from './shard-job.js';

/** Where workers get their shards from. */
export interface ShardSource {
  /**
   * The next shard. May wait as long as it likes: a model goes on with the pictures that it has.
   * @returns undefined where there is none for this worker
   */
  take(): Promise<ShardJob | undefined>;
  /** Takes a shard that a dead worker had. */
  putBack(job: ShardJob): void;
}
