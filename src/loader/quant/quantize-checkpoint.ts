/** A checkpoint with some of its weights in small integers: written once into a file that later runs find again. */
import type { QuantScheme } from '../../tensor/quantized.js';
import { tensorOf, type Checkpoint } from '../checkpoint/checkpoint.js';
import { cachedShard, type CacheOptions } from '../cache/cached-shard.js';
import { quantizedTensors, type ShardTensor } from '../write/shard-tensor.js';

/** A linear weight that is to be stored in small integers, and how. */
export interface WeightToQuantize {
  /** Under whose name the integers and scales are stored, see `quantizedNames`. */
  readonly name: string;
  /** The tensor that holds its floats, `[out, in]`. */
  readonly source: string;
  readonly scheme: QuantScheme;
}

/**
 * The checkpoint with the quantised tensors, which lie in a file of the cache, in place of the weights they are made of;
 * a source of another name stays, for it is somebody else's weight too.
 * @param cacheFolder see `cachedShard`.
 * @throws SafetensorsError `TENSOR_NOT_FOUND`, `NOT_QUANTIZABLE` where a value is not finite; Blip2Error
 *   `CONVERSION_UNSUPPORTED` for what is no matrix of floats, `DISK_FULL`.
 */
export async function quantizeCheckpoint(
  checkpoint: Checkpoint,
  weights: readonly WeightToQuantize[],
  cacheFolder: string,
  options: CacheOptions = {},
): Promise<Checkpoint> {
  if (weights.length === 0) return checkpoint;
  const tensors = new Map(checkpoint.tensors);
  const quantized = new Map<string, ShardTensor>();
  for (const { name, source, scheme } of weights) {
    const stored = tensorOf(checkpoint, source);
    if (name === source) tensors.delete(name);
    for (const [half, tensor] of quantizedTensors(name, stored, scheme)) quantized.set(half, tensor);
  }
  const cached = await cachedShard(quantized, cacheFolder, options);
  for (const [name, tensor] of cached.tensors) tensors.set(name, tensor);
  return { ...checkpoint, tensors, files: [...checkpoint.files, cached.file] };
}
