import type { CaptionRecord } from '../caption-record.js';
import type { FinishedShard, ShardOutput } from '../run/shard-output.js';

/** A JSONL file per shard: its records are what is asked for. */
export class JsonlOutput implements ShardOutput {
  write({ records }: FinishedShard): Promise<readonly CaptionRecord[]> {
    return Promise.resolve(records);
  }
}
