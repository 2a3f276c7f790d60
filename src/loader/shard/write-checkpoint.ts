/**
 * Writes a whole checkpoint: shards, index, and the small files beside them.
 *
 * A shard appears under its name only when it is whole and on the disk, and the index comes last, so a reader never
 * meets half a checkpoint. A run that was stopped or killed leaves a job file that says which job it was; the same job
 * started again keeps the shards that are there.
 */
import { createHash } from 'node:crypto';
import { mkdir, open, readdir, readFile, realpath, rm, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { Blip2Error } from '../../errors.js';
import { QUANT_BLOCK_SIZE, QUANT_SCHEMES } from '../../tensor/quantized.js';
import type { Checkpoint } from '../checkpoint/checkpoint.js';
import { fileStamp } from '../file/file-stamp.js';
import type { FileLayout } from '../write/file-layout.js';
import { removeAbandonedFiles } from '../write/replace-file.js';
import { shardDataBytes, type ShardTensor } from '../write/shard-tensor.js';
import { layoutShard, writeShard, type WriteOptions } from '../write/write-shard.js';
import { inParallel } from './in-parallel.js';
import type { ConfigDtype } from './config-dtype.js';
import { copySideFiles, writeText } from './side-files.js';
import { indexJson, type PlannedShard } from './shard-plan.js';

export interface CheckpointJob {
  /** Where side files come from, and what may not be overwritten. */
  readonly source: Checkpoint;
  readonly shards: readonly PlannedShard[];
  /** Every tensor that the shards name. */
  readonly tensors: ReadonlyMap<string, ShardTensor>;
  /** For every shard; `format: pt` unless given, without which transformers 4 refuses a file. */
  readonly metadata?: ReadonlyMap<string, string>;
  /** What config.json is to say of the dtype, where it changes. */
  readonly configDtype?: ConfigDtype;
}

export interface CheckpointWriteOptions extends Omit<WriteOptions, 'metadata'> {
  /** Nothing is written; the result is what would be. */
  readonly dryRun?: boolean;
}

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
}

const JOB_FILE = '.blip2-shard-job.json';
const INDEX = 'model.safetensors.index.json';

/**
 * @throws Blip2Error `OutputExists` where the folder has weights of something else, `WouldOverwriteInput`, `DiskFull`.
 */
export async function writeCheckpoint(
  job: CheckpointJob,
  folder: string,
  options: CheckpointWriteOptions = {},
): Promise<WrittenCheckpoint> {
  const planned = job.shards.map((shard) => planShard(job, shard, options));
  const totalBytes = shardDataBytes(job.tensors.values());
  const index = planned.length > 1 ? INDEX : null;
  const result = (resumed: ReadonlySet<string>): WrittenCheckpoint => ({
    folder,
    shards: planned.map(({ shard, layout }) => ({
      file: shard.file,
      sizeBytes: layout.sizeBytes,
      resumed: resumed.has(shard.file),
      ...(shard.device === undefined ? {} : { device: shard.device }),
    })),
    index,
    totalBytes,
  });
  await refuseInputs(job.source, folder, planned);
  const key = await jobKey(job, planned);
  const finished = await finishedShards(folder, key, planned);
  if (options.dryRun === true) return result(finished);

  await mkdir(folder, { recursive: true });
  await removeAbandonedFiles(folder);
  const remaining = planned.filter(({ shard }) => !finished.has(shard.file));
  await checkSpace(folder, sum(remaining.map(({ layout }) => layout.sizeBytes)));
  await writeText(join(folder, JOB_FILE), `${JSON.stringify({ key })}\n`);
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
      onProgress: (writtenBytes) => {
        progress.set(shardPlan, writtenBytes);
        options.onProgress?.(resumedBytes + sum([...progress.values()]), total);
      },
    });
  });
  if (index !== null) await writeText(join(folder, index), indexJson(job.shards, totalBytes));
  await rm(join(folder, JOB_FILE));
  return result(finished);
}

/** While one shard waits for the disk, the next is written. Each has buffers of its own. */
const SHARDS_IN_FLIGHT = 2;

interface Planned {
  readonly shard: PlannedShard;
  readonly tensors: ReadonlyMap<string, ShardTensor>;
  readonly metadata: ReadonlyMap<string, string>;
  readonly layout: FileLayout;
}

function planShard(job: CheckpointJob, shard: PlannedShard, options: CheckpointWriteOptions): Planned {
  const tensors = new Map<string, ShardTensor>();
  for (const name of shard.tensors) {
    const tensor = job.tensors.get(name);
    if (tensor === undefined) throw new RangeError(name);
    tensors.set(name, tensor);
  }
  const metadata = new Map(job.metadata ?? [['format', 'pt']]);
  if (shard.device !== undefined) metadata.set('device', shard.device);
  const schemes = QUANT_SCHEMES.filter((scheme) =>
    [...tensors.values()].some(({ quantized }) => quantized?.scheme === scheme),
  );
  const quantization = schemes.map((scheme) => `${scheme} in blocks of ${QUANT_BLOCK_SIZE[scheme]}`);
  if (quantization.length > 0) metadata.set('quantization', quantization.join(', '));
  return { shard, tensors, metadata, layout: layoutShard(tensors, { ...options, metadata }) };
}

async function refuseInputs(source: Checkpoint, folder: string, planned: readonly Planned[]): Promise<void> {
  const inputs = new Set(await Promise.all(source.files.map(({ path }) => identity(path))));
  for (const { shard } of planned) {
    const path = join(folder, shard.file);
    const output = await identity(path);
    if (output === undefined || !inputs.has(output)) continue;
    throw new Blip2Error('WouldOverwriteInput', `${path} is one of the files to be read`, {
      hint: 'Write to another folder.',
    });
  }
  const same = (await realpath(source.folder)) === (await realpath(folder).catch(() => undefined));
  if (same)
    throw new Blip2Error('WouldOverwriteInput', `${folder} is the checkpoint's own folder`, {
      hint: 'Write to another folder.',
    });
}

/** Device and inode, so that links do not hide that two names are one file; undefined where there is none. */
async function identity(path: string): Promise<string | undefined> {
  const found = await stat(path, { bigint: true }).catch(() => undefined);
  return found === undefined ? undefined : `${found.dev}:${found.ino}`;
}

/** The same for the same output out of the same files: names, sizes and times of the sources, and every header. */
async function jobKey({ source, configDtype }: CheckpointJob, planned: readonly Planned[]): Promise<string> {
  const hash = createHash('sha256').update(`${JSON.stringify(configDtype ?? null)}\n`);
  for (const { path } of source.files) hash.update(await fileStamp(path));
  for (const { shard, layout, tensors } of planned) {
    hash.update(`${shard.file}\n`).update(layout.front);
    for (const { source: stored } of tensors.values()) hash.update(`${JSON.stringify([stored.file, stored.begin])}\n`);
  }
  return hash.digest('hex');
}

/** The shards that an earlier run of this job has written. */
async function finishedShards(folder: string, key: string, planned: readonly Planned[]): Promise<Set<string>> {
  const names = await readdir(folder).catch(() => []);
  const weights = names.filter((name) => name.endsWith('.safetensors') || name === INDEX);
  if (weights.length === 0) return new Set();
  const earlier = await readFile(join(folder, JOB_FILE), 'utf8').catch(() => '');
  if (earlier !== `${JSON.stringify({ key })}\n`) {
    throw new Blip2Error('OutputExists', `${folder} has weights of another job: ${weights.slice(0, 3).join(', ')}`, {
      hint: 'Give an empty folder, or remove them.',
    });
  }
  const finished = new Set<string>();
  for (const { shard, layout } of planned) {
    if (weights.includes(shard.file) && (await beginsWith(join(folder, shard.file), layout))) finished.add(shard.file);
  }
  return finished;
}

async function beginsWith(path: string, layout: FileLayout): Promise<boolean> {
  const handle = await open(path, 'r');
  try {
    if ((await handle.stat()).size !== layout.sizeBytes) return false;
    const front = Buffer.alloc(layout.front.length);
    await handle.read(front, 0, front.length, 0);
    return front.equals(layout.front);
  } finally {
    await handle.close();
  }
}

async function checkSpace(folder: string, neededBytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  const freeBytes = bavail * bsize;
  if (freeBytes >= neededBytes) return;
  throw new Blip2Error('DiskFull', `${folder} needs ${neededBytes} bytes; its disk has ${freeBytes} free`, {
    details: { neededBytes, freeBytes },
  });
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
