import { checkRecords, type CaptionRecord } from '../caption-record.js';
import type { InputPicture } from '../inputs/input-picture.js';
import type { ShardOutput } from './shard-output.js';
import { captionShards, type CaptionShards } from './caption-shards.js';
import { finishRun } from './finish-run.js';
import type { InputList } from './input-list.js';
import { openRun, type RunOptions } from './open-run.js';
import { confirmRun, type RunInHand } from './run-file.js';
import type { RunFolder } from './run-folder.js';
import type { Slice } from './run-lock.js';
import { ShardJob } from './shard-job.js';
import { ShardQueue } from './shard-queue.js';
import { Tally } from './tally.js';

export interface BulkOptions extends Omit<RunOptions, 'signal'>, Omit<CaptionShards, 'queue' | 'finish' | 'onRecord'> {
  readonly folder: RunFolder;
  readonly output: ShardOutput;
  readonly inputs: AsyncIterable<InputPicture>;
  /** Of every `count` shards this run captions the one with number `index`. */
  readonly slice: Slice;
  /** Captions pictures again whose records say that they failed. */
  readonly retryFailed: boolean;
  /** Called for each new record. */
  readonly onProgress: (tally: Tally, pictures: number) => void;
}

export interface BulkResult {
  readonly tally: Tally;
  /** Pictures of the shards that were this run's to caption. */
  readonly pictures: number;
  /** Those of them that earlier runs had finished: their pictures were not looked at. */
  readonly donePictures: number;
  /** Shards of all runs on this folder that are not finished. */
  readonly shardsLeft: number;
}

/**
 * Captions the inputs into a folder, or goes on where a run on the same folder was stopped.
 * @throws what `openRun` and `captionShards` throw; what is finished by then stays
 */
export async function runBulk(options: BulkOptions): Promise<BulkResult> {
  try {
    return await runShards(options);
  } finally {
    await options.folder.release();
  }
}

async function runShards(options: BulkOptions): Promise<BulkResult> {
  const { folder, output, slice, shardSize } = options;
  const list = await openRun(folder, output, options.inputs, options);
  const run = { settings: options.settings, list };
  const tally = new Tally();
  const mine = Array.from({ length: list.shards }, (_, shard) => shard).filter(
    (shard) => shard % slice.count === slice.index,
  );
  const picturesOf = (shards: readonly number[]) =>
    shards.reduce((sum, shard) => sum + list.shardPictures(shard, shardSize), 0);
  const pictures = picturesOf(mine);
  const open = await openShards(options, list, mine, tally);
  const donePictures = pictures - picturesOf(open);
  if (open.length > 0) {
    const onRecord = (record: CaptionRecord) => {
      tally.add(record);
      options.onProgress(tally, pictures);
    };
    await captionShards({
      ...options,
      workers: Math.min(options.workers, open.length),
      queue: new ShardQueue(jobs(options, list, open, tally)),
      finish: (job) => finish(options, run, job, tally),
      onRecord,
    });
  }
  const shardsLeft = await finishRun(folder, output, run);
  return { tally, pictures, donePictures, shardsLeft };
}

/** The shards that are to be captioned; the records of the others are counted. */
async function openShards(
  options: BulkOptions,
  list: InputList,
  mine: readonly number[],
  tally: Tally,
): Promise<number[]> {
  const open: number[] = [];
  const finished = new Set<number>();
  for (const shard of mine) {
    const records = await options.folder.readRecords(shard);
    const isFinished = records !== null && !(await keptRecords(options, list, shard, records)).includes(undefined);
    if (!isFinished) open.push(shard);
    else finished.add(shard);
    if (isFinished) for (const record of records) tally.add(record);
  }
  await options.folder.removeLeftOvers(finished);
  return open;
}

/** Records of an earlier writing of a shard, without those that are to be made again. */
async function keptRecords(
  { output, retryFailed }: BulkOptions,
  list: InputList,
  shard: number,
  records: readonly CaptionRecord[],
): Promise<(CaptionRecord | undefined)[]> {
  const lost = await output.lost?.(await list.read(shard), records);
  return records.map((record, position) => {
    const isMadeAgain = (retryFailed && record.error !== '') || lost?.has(position) === true;
    return isMadeAgain ? undefined : record;
  });
}

async function* jobs(
  options: BulkOptions,
  list: InputList,
  open: readonly number[],
  tally: Tally,
): AsyncGenerator<ShardJob, void> {
  const { folder, output, settings, shardSize } = options;
  for (const shard of open) {
    await confirmRun(folder, { settings, list });
    const [pictures, records] = [await list.read(shard), await folder.readRecords(shard)];
    if (records !== null) checkRecords(records, pictures, folder.recordsFile(shard));
    const job = await ShardJob.open({
      shard,
      first: shard * shardSize,
      pictures,
      kept: records === null ? undefined : await keptRecords(options, list, shard, records),
      journal: await folder.journal(shard),
      spool: output.holdsPictures === true ? folder.spool(shard) : undefined,
    });
    await output.begin?.(job);
    for (const record of job.records) tally.add(record);
    yield job;
  }
}

async function finish({ folder, output }: BulkOptions, run: RunInHand, job: ShardJob, tally: Tally): Promise<void> {
  await job.flush();
  await confirmRun(folder, run);
  const written = (await output.write?.(job)) ?? job.records;
  await folder.writeRecords(job.shard, written);
  tally.replace(job.records, written);
}
