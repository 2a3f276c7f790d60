/**
 * Tensors in the dtype that a device needs, ready to be mapped: those that have it already stay where they are, the
 * others are converted once into a file that later runs find again.
 */
import type { Dtype } from '../../tensor/dtype.js';
import { tensorOf, type Checkpoint } from '../checkpoint/checkpoint.js';
import type { StoredTensor } from '../format/stored-tensor.js';
import { cachedShard, type CacheOptions } from './cached-shard.js';
import { shardDataBytes, type ShardTensor } from '../write/shard-tensor.js';

/** Weights in the dtypes that were asked for: the checkpoint's own, or those of a cached file. */
export interface MaterializedTensors {
  /** Every name that was asked for; each has the dtype that was asked for. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** The file of converted tensors, null where nothing had to be converted. */
  readonly file: string | null;
  /** Bytes converted now: 0 where nothing had to be, or an earlier run had done it. */
  readonly convertedBytes: number;
}

/**
 * Tensors in the dtypes that are needed: as they lie, or converted once into a file of the cache.
 * @param dtypes the tensors that are needed, each with the dtype it is to have.
 * @param cacheFolder see `cachedShard`.
 * @throws SafetensorsError `TENSOR_NOT_FOUND`; Blip2Error `CONVERSION_UNSUPPORTED`; the system's error where the disk is full.
 */
export async function materializeTensors(
  checkpoint: Checkpoint,
  dtypes: ReadonlyMap<string, Dtype>,
  cacheFolder: string,
  options: CacheOptions = {},
): Promise<MaterializedTensors> {
  const tensors = new Map<string, StoredTensor>();
  const converting = new Map<string, ShardTensor>();
  for (const [name, dtype] of dtypes) {
    const source = tensorOf(checkpoint, name);
    tensors.set(name, source);
    if (source.dtype !== dtype) converting.set(name, { source, dtype });
  }
  if (converting.size === 0) return { tensors, file: null, convertedBytes: 0 };

  const cached = await cachedShard(converting, cacheFolder, options);
  for (const [name, tensor] of cached.tensors) tensors.set(name, tensor);
  return {
    tensors,
    file: cached.file.path,
    convertedBytes: cached.written ? shardDataBytes(converting.values()) : 0,
  };
}
