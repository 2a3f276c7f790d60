/**
 * Tensors in the dtype that a device needs, ready to be mapped: those that have it already stay where they are, the
 * others are converted once into a file that later runs find again.
 */
import { createHash } from 'node:crypto';
import { mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Dtype } from '../../tensor/dtype.js';
import type { Checkpoint, StoredTensor } from '../checkpoint/checkpoint.js';
import { FileSource } from '../file/file-source.js';
import { fileStamp } from '../file/file-stamp.js';
import { readHeader } from '../format/read-header.js';
import { SafetensorsError } from '../format/safetensors-error.js';
import { removeAbandonedFiles } from './replace-file.js';
import { shardDataBytes, writeShard, type ShardTensor, type WriteOptions } from './write-shard.js';

export interface MaterializedTensors {
  /** Every name that was asked for; each has the dtype that was asked for. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** The file of converted tensors, null where nothing had to be converted. */
  readonly file: string | null;
  /** Bytes converted now: 0 where nothing had to be, or an earlier run had done it. */
  readonly convertedBytes: number;
}

/**
 * @param dtypes the tensors that are needed, each with the dtype it is to have.
 * @param cacheFolder is made where it does not exist. The file's name is a fingerprint of the tensors, the dtypes, and
 *   the paths, sizes and times of the source files, so a changed checkpoint is converted again.
 * @throws SafetensorsError `TensorNotFound`; Blip2Error `ConversionUnsupported`; the system's error where the disk is full.
 */
export async function materializeTensors(
  checkpoint: Checkpoint,
  dtypes: ReadonlyMap<string, Dtype>,
  cacheFolder: string,
  options: Pick<WriteOptions, 'signal' | 'onProgress' | 'bufferBytes'> = {},
): Promise<MaterializedTensors> {
  const tensors = new Map<string, StoredTensor>();
  const converting = new Map<string, ShardTensor>();
  for (const [name, dtype] of dtypes) {
    const source = checkpoint.tensors.get(name);
    if (source === undefined) {
      throw new SafetensorsError('TensorNotFound', checkpoint.folder, `has no tensor ${JSON.stringify(name)}`, {
        tensor: name,
      });
    }
    tensors.set(name, source);
    if (source.dtype !== dtype) converting.set(name, { source, dtype });
  }
  if (converting.size === 0) return { tensors, file: null, convertedBytes: 0 };

  await mkdir(cacheFolder, { recursive: true });
  const file = join(cacheFolder, `${await fingerprint(converting)}.safetensors`);
  const known = await readConverted(file);
  if (known === null) {
    await removeAbandonedFiles(cacheFolder);
    await writeShard(file, converting, options);
  }
  const converted = known ?? (await readConverted(file));
  for (const name of converting.keys()) {
    const tensor = converted?.get(name);
    if (tensor === undefined)
      throw new SafetensorsError('FileChanged', file, `lost ${JSON.stringify(name)}`, { tensor: name });
    tensors.set(name, tensor);
  }
  return { tensors, file, convertedBytes: known === null ? shardDataBytes(converting.values()) : 0 };
}

async function fingerprint(tensors: ReadonlyMap<string, ShardTensor>): Promise<string> {
  const hash = createHash('sha256');
  const files = [...new Set([...tensors.values()].map(({ source }) => source.file))].sort();
  for (const file of files) hash.update(await fileStamp(file));
  for (const [name, { source, dtype }] of tensors) {
    hash.update(`${JSON.stringify([name, dtype, source.file, source.begin, source.end])}\n`);
  }
  return hash.digest('hex').slice(0, 32);
}

/** The tensors of a converted file; null where there is none. A file of this name is whole: see `replaceFile`. */
async function readConverted(file: string): Promise<ReadonlyMap<string, StoredTensor> | null> {
  const exists = await stat(file).then(
    () => true,
    () => false,
  );
  if (!exists) return null;
  await using source = await FileSource.open(file);
  return (await readHeader(source)).tensors;
}
