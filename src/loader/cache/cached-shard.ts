/** A file of tensors made from other files, kept in a folder under a fingerprint of what it is made of. */
import { createHash } from 'node:crypto';
import { access, constants, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Blip2Error } from '../../errors.js';
import type { ShardFile, StoredTensor } from '../checkpoint/checkpoint.js';
import { openLocalShard } from '../checkpoint/open-found.js';
import { fileStamp } from '../file/file-stamp.js';
import { makeFolder } from '../file/make-folder.js';
import { SafetensorsError } from '../format/safetensors-error.js';
import { removeAbandonedFiles } from '../write/replace-file.js';
import type { ShardTensor } from '../write/shard-tensor.js';
import { writeShard, type WriteOptions } from '../write/write-shard.js';
import { cachedName, SOURCES } from './cached-file.js';

export interface CachedShard {
  readonly file: ShardFile;
  /** Every tensor that was asked for. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** false where an earlier run had written it. */
  readonly written: boolean;
}

export type CacheOptions = Pick<WriteOptions, 'signal' | 'onProgress' | 'bufferBytes'>;

/**
 * @param cacheFolder is made where it does not exist. The file's name is a fingerprint of the tensors, what they become,
 *   and the paths, sizes and times of the source files, so a changed checkpoint is converted again.
 * @throws Blip2Error `CACHE_FOLDER` where the folder cannot be made or written; as `writeShard`
 */
export async function cachedShard(
  tensors: ReadonlyMap<string, ShardTensor>,
  cacheFolder: string,
  options: CacheOptions = {},
): Promise<CachedShard> {
  const stamps = await sourceStamps(tensors);
  const path = join(cacheFolder, cachedName(fingerprint(stamps, tensors)));
  // A file of this name is whole: see `replaceFile`.
  const written = !(await exists(path));
  if (written) {
    const metadata = new Map([[SOURCES, JSON.stringify(stamps)]]);
    await prepare(cacheFolder);
    await writeShard(path, tensors, { ...options, metadata });
  }
  const shard = await openLocalShard(path, path);
  for (const name of tensors.keys()) {
    if (!shard.tensors.has(name))
      throw new SafetensorsError('FileChanged', path, `lost ${JSON.stringify(name)}`, { tensor: name });
  }
  return { file: shard.file, tensors: shard.tensors, written };
}

async function prepare(cacheFolder: string): Promise<void> {
  try {
    await makeFolder(cacheFolder);
    await access(cacheFolder, constants.W_OK);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Blip2Error('CACHE_FOLDER', `converted weights cannot be kept in ${cacheFolder}: ${why}`, {
      hint: 'Let cacheFolder (XDG_CACHE_HOME on Linux) be a folder that can be written.',
      details: { cacheFolder },
      cause,
    });
  }
  await removeAbandonedFiles(cacheFolder);
}

async function sourceStamps(tensors: ReadonlyMap<string, ShardTensor>): Promise<string[]> {
  const files = [...new Set([...tensors.values()].map(({ source }) => source.file))].sort();
  const stamps: string[] = [];
  for (const file of files) stamps.push(await fileStamp(file));
  return stamps;
}

function fingerprint(stamps: readonly string[], tensors: ReadonlyMap<string, ShardTensor>): string {
  const hash = createHash('sha256');
  for (const stamp of stamps) hash.update(stamp);
  for (const [name, { source, dtype, quantized }] of tensors) {
    hash.update(`${JSON.stringify([name, dtype, source.file, source.begin, source.end, quantized])}\n`);
  }
  return hash.digest('hex').slice(0, 32);
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
