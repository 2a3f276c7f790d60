import { basename } from 'node:path';
import { Blip2Error } from '../../errors.js';
import { QUANT_BLOCK_SIZE, QUANT_SCHEMES } from '../../tensor/quantized.js';
import type { Checkpoint, ShardFile } from '../checkpoint/checkpoint.js';
import { quote } from '../format/quote.js';
import type { FileLayout, LayoutOptions } from '../write/file-layout.js';
import type { ShardTensor } from '../write/shard-tensor.js';
import { layoutShard } from '../write/write-shard.js';
import type { PlannedShard } from './shard-plan.js';

/** What a checkpoint to be written consists of. */
export interface CheckpointJob {
  /** Where side files come from, and what may not be overwritten. */
  readonly source: Checkpoint;
  readonly shards: readonly PlannedShard[];
  /** Every tensor that the shards name, each of them one; others are not written. */
  readonly tensors: ReadonlyMap<string, ShardTensor>;
  /** For every shard; what all files of the source say, unless given. */
  readonly metadata?: ReadonlyMap<string, string>;
  /** What config.json is to say of the dtype, where it changes. */
  readonly configDtype?: string;
}

/** A shard with everything that its file will hold. */
export interface Planned {
  readonly shard: PlannedShard;
  readonly tensors: ReadonlyMap<string, ShardTensor>;
  readonly metadata: ReadonlyMap<string, string>;
  readonly layout: FileLayout;
}

/**
 * @returns the job's tensors that are in shards, by name
 * @throws Blip2Error `OPTION_INVALID` where a tensor is in two shards, or a shard's name is that of another, or no file's
 */
export function shardedTensors({ shards, tensors }: CheckpointJob): Map<string, ShardTensor> {
  const sharded = new Map<string, ShardTensor>();
  const files = new Set<string>();
  for (const { file, tensors: names } of shards) {
    if (files.has(file) || basename(file) !== file || !file.endsWith('.safetensors'))
      throw new Blip2Error(
        'OPTION_INVALID',
        `a shard cannot be named ${quote(file)}: names are *.safetensors, each of one`,
      );
    files.add(file);
    for (const name of names) {
      const tensor = tensors.get(name);
      if (tensor === undefined || sharded.has(name))
        throw new Blip2Error(
          'OPTION_INVALID',
          `${quote(name)} is ${tensor === undefined ? 'no tensor of the job' : 'in two shards'}`,
        );
      sharded.set(name, tensor);
    }
  }
  return sharded;
}

export function planShard(job: CheckpointJob, shard: PlannedShard, options: LayoutOptions): Planned {
  const tensors = new Map<string, ShardTensor>();
  for (const name of shard.tensors) {
    const tensor = job.tensors.get(name);
    if (tensor === undefined) throw new RangeError(name);
    tensors.set(name, tensor);
  }
  const metadata = new Map(job.metadata ?? commonMetadata(job.source.files));
  if (shard.device !== undefined) metadata.set('device', shard.device);
  const schemes = QUANT_SCHEMES.filter((scheme) =>
    [...tensors.values()].some(({ quantized }) => quantized?.scheme === scheme),
  );
  const quantization = schemes.map((scheme) => `${scheme} in blocks of ${QUANT_BLOCK_SIZE[scheme]}`);
  if (quantization.length > 0) metadata.set('quantization', quantization.join(', '));
  return { shard, tensors, metadata, layout: layoutShard(tensors, { ...options, metadata }) };
}

/** Of these a writer says what is true of its own files. */
const SAID_ANEW: ReadonlySet<string> = new Set(['device', 'quantization']);

/** Keys of `__metadata__` on which the files do not agree: no file that is written can state them for all. */
export function unsharedMetadata(files: readonly ShardFile[]): string[] {
  const common = commonMetadata(files);
  const keys = new Set(files.flatMap(({ metadata }) => [...metadata.keys()]));
  return [...keys].filter((key) => !common.has(key) && !SAID_ANEW.has(key));
}

/**
 * What all of the files say: shards that are written may hold tensors of any of them. Not which device they were for,
 * and with a `format`, without which transformers 4 refuses a file.
 */
function commonMetadata([first, ...others]: readonly ShardFile[]): ReadonlyMap<string, string> {
  const metadata = new Map([['format', 'pt']]);
  for (const [key, value] of first?.metadata ?? []) {
    if (key !== 'device' && others.every((other) => other.metadata.get(key) === value)) metadata.set(key, value);
  }
  return metadata;
}
