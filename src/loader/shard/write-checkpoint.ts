/**
 * Writes a whole checkpoint: shards, index, and the small files beside them.
 *
 * A shard appears under its name only when it is whole and on the disk, and the index comes last, so a reader never
 * meets half a checkpoint. A run that was stopped or killed is taken up again: see `job-file.ts`.
 */
import { realpath, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { Blip2Error } from '../../errors.js';
import type { Checkpoint } from '../checkpoint/checkpoint.js';
import { makeFolder } from '../file/make-folder.js';
import { removeAbandonedFiles } from '../write/temporary-file.js';
import { shardDataBytes } from '../write/shard-tensor.js';
import { writeShard, type WriteOptions } from '../write/write-shard.js';
import { JobFile } from './job-file.js';
import { planShard, shardedTensors, type CheckpointJob, type Planned } from './planned-shard.js';
import { indexJson, indexName } from './shard-plan.js';
import { copySideFiles, writeText } from './side-files.js';

/** How a checkpoint is written. */
export interface CheckpointWriteOptions extends Omit<WriteOptions, 'metadata'> {
  /** Nothing is written; the result is what would be. */
  readonly dryRun?: boolean;
}

/** What was written, or would be. */
export interface WrittenCheckpoint {
  readonly folder: string;
  readonly shards: readonly {
    readonly file: string;
    readonly sizeBytes: number;
    readonly resumed: boolean;
    readonly device?: string;
  }[];
  /** File name, null where there is one shard. */
  readonly index: string | null;
  /** Bytes of all tensors. */
  readonly totalBytes: number;
  /** Finite values that have become infinite: they are beyond float16 or bfloat16. */
  readonly overflowedValues: number;
}

/**
 * Writes shards, index and the small files beside them; a run that was stopped is taken up again.
 * @throws Blip2Error `OUTPUT_EXISTS` where the folder has weights of something else, `OUTPUT_BUSY` where they are being
 *   written, `WOULD_OVERWRITE_INPUT`, `DISK_FULL`, `OPTION_INVALID` for shards that are none.
 */
export async function writeCheckpoint(
  job: CheckpointJob,
  folder: string,
  options: CheckpointWriteOptions = {},
): Promise<WrittenCheckpoint> {
  const totalBytes = shardDataBytes(shardedTensors(job).values());
  const planned = job.shards.map((shard) => planShard(job, shard, options));
  const index = indexName(job.shards);
  let overflowedValues = 0;
  const result = (resumed: ReadonlyMap<string, number>): WrittenCheckpoint => ({
    folder,
    shards: planned.map(({ shard, layout }) => ({
      file: shard.file,
      sizeBytes: layout.sizeBytes,
      resumed: resumed.has(shard.file),
      ...(shard.device === undefined ? {} : { device: shard.device }),
    })),
    index,
    totalBytes,
    overflowedValues,
  });
  await refuseInputs(job.source, folder, planned);
  await using jobFile = new JobFile(folder, job, planned, options);
  if (options.dryRun === true) return result(await jobFile.finished());

  await makeFolder(folder);
  await jobFile.hold();
  const finished = await jobFile.finished();
  // Of the run that was stopped nobody may have heard of them.
  overflowedValues = sum([...finished.values()]);
  await removeAbandonedFiles(folder);
  const remaining = planned.filter(({ shard }) => !finished.has(shard.file));
  await checkSpace(folder, sum(remaining.map(({ layout }) => layout.sizeBytes)));
  await jobFile.write();
  // Before the weights: where those are whole, the checkpoint is.
  await copySideFiles(job.source.folder, folder, job.configDtype);
  const total = sum(planned.map(({ layout }) => layout.sizeBytes));
  const progress = new Map<Planned, number>();
  const resumedBytes = total - sum(remaining.map(({ layout }) => layout.sizeBytes));
  await inParallel(remaining, SHARDS_IN_FLIGHT, async (shardPlan) => {
    const { shard, tensors, metadata } = shardPlan;
    await writeShard(join(folder, shard.file), tensors, {
      ...options,
      metadata,
      onOverflow: (values) => (overflowedValues += values),
      onProgress: (writtenBytes) => {
        progress.set(shardPlan, writtenBytes);
        options.onProgress?.(resumedBytes + sum([...progress.values()]), total);
      },
    });
  });
  if (index !== null) await writeText(join(folder, index), indexJson(job.shards, totalBytes));
  await jobFile.remove();
  return result(finished);
}

/** While one shard waits for the disk, the next is written. Each has buffers of its own. */
const SHARDS_IN_FLIGHT = 2;

async function refuseInputs(source: Checkpoint, folder: string, planned: readonly Planned[]): Promise<void> {
  const inputs = new Set(await Promise.all(source.files.map(({ path }) => identity(path))));
  for (const { shard } of planned) {
    const path = join(folder, shard.file);
    const output = await identity(path);
    if (output === undefined || !inputs.has(output)) continue;
    throw new Blip2Error('WOULD_OVERWRITE_INPUT', `${path} is one of the files to be read`, {
      hint: 'Write to another folder.',
    });
  }
  const same = (await realpath(source.folder)) === (await realpath(folder).catch(() => undefined));
  if (same)
    throw new Blip2Error('WOULD_OVERWRITE_INPUT', `${folder} is the checkpoint's own folder`, {
      hint: 'Write to another folder.',
    });
}

/** Device and inode, so that links do not hide that two names are one file; undefined where there is none. */
async function identity(path: string): Promise<string | undefined> {
  const found = await stat(path, { bigint: true }).catch(() => undefined);
  return found === undefined ? undefined : `${found.dev}:${found.ino}`;
}

async function checkSpace(folder: string, neededBytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  const freeBytes = bavail * bsize;
  if (freeBytes >= neededBytes) return;
  throw new Blip2Error('DISK_FULL', `${folder} needs ${neededBytes} bytes; its disk has ${freeBytes} free`, {
    details: { neededBytes, freeBytes },
  });
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** Runs `work` for all items, a few at a time. After a failure none is begun; the failure is thrown when the rest ended. */
async function inParallel<T>(items: readonly T[], count: number, work: (item: T) => Promise<void>): Promise<void> {
  const queue = items.values();
  const failures: unknown[] = [];
  const worker = async (): Promise<void> => {
    for (const item of queue) {
      if (failures.length > 0) return;
      await work(item).catch((error: unknown) => failures.push(error));
    }
  };
  await Promise.all(Array.from({ length: count }, worker));
  if (failures.length > 0) throw failures[0];
}
