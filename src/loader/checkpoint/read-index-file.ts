import { join } from 'node:path';
import { Blip2Error, reasonOf } from '../../errors.js';
import { readSmallFile } from '../file/read-small-file.js';
import { SafetensorsError } from '../format/safetensors-error.js';
import type { FoundCheckpoint } from './find-checkpoint.js';
import { indexedShards, MAX_INDEX_BYTES, parseIndex, type CheckpointIndex } from './parse-index.js';

/** @throws as `parseIndex`. */
export async function readIndexFile(
  path: string,
  read: (path: string, maxBytes: number) => Promise<Uint8Array> = readSmallFile,
): Promise<CheckpointIndex> {
  try {
    const bytes = await read(path, MAX_INDEX_BYTES);
    return parseIndex(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes), path);
  } catch (cause) {
    if (cause instanceof Blip2Error) throw cause;
    throw new SafetensorsError('INDEX_INVALID', path, `cannot be read: ${reasonOf(cause)}`, { cause });
  }
}

/** The names of a checkpoint's shards, in order. @throws as `parseIndex`. */
export async function shardNames({ folder, name, isIndex }: FoundCheckpoint): Promise<string[]> {
  return isIndex ? indexedShards(await readIndexFile(join(folder, name))) : [name];
}
