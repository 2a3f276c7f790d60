/**
 * A file of tensors made from other files, kept in a folder under a fingerprint of what it is made of. Any number of
 * processes may use the folder at once: each writes a file of its own, and the first that is whole gets the name.
 */
import { createHash } from 'node:crypto';
import { access, constants } from 'node:fs/promises';
import { join } from 'node:path';
import { Blip2Error, reasonOf } from '../../errors.js';
import type { ShardFile } from '../checkpoint/checkpoint.js';
import type { StoredTensor } from '../format/stored-tensor.js';
import { openLocalShard } from '../checkpoint/open-found.js';
import { fileStamp } from '../file/file-stamp.js';
import { makeFolder } from '../file/make-folder.js';
import { SafetensorsError } from '../format/safetensors-error.js';
import { removeAbandonedFiles } from '../write/temporary-file.js';
import { replaceFile } from '../write/replace-file.js';
import { checkConversion, type ShardTensor } from '../write/shard-tensor.js';
import type { WriteOptions } from '../write/write-shard.js';
import { cachedName, SOURCES } from './cached-file.js';
import { sealFault, writeSealed } from './seal.js';

interface CachedShard {
  readonly file: ShardFile;
  /** Every tensor that was asked for. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** false where an earlier run had written it. */
  readonly written: boolean;
}

export type CacheOptions = Pick<WriteOptions, 'signal' | 'onProgress' | 'bufferBytes'>;

/**
 * @param cacheFolder is made where it does not exist. The file's name is a fingerprint of the tensors, what they become,
 *   and the paths, sizes and times of the source files, so a changed checkpoint is converted again; so is what is
 *   damaged, as far as some of its bytes tell (`sealFault`).
 * @throws Blip2Error `CACHE_FOLDER` where the folder cannot be made or written; as `writeShard`
 */
export async function cachedShard(
  tensors: ReadonlyMap<string, ShardTensor>,
  cacheFolder: string,
  options: CacheOptions = {},
): Promise<CachedShard> {
  const stamps = await sourceStamps(tensors);
  const path = join(cacheFolder, cachedName(fingerprint(stamps, tensors)));
  const isGood = async () => (await sealFault(path, { extent: 'samples' })) === null;
  const written = !(await isGood());
  if (written) {
    for (const [name, tensor] of tensors) checkConversion(name, tensor);
    const metadata = new Map([[SOURCES, JSON.stringify(stamps)]]);
    await prepare(cacheFolder);
    try {
      await replaceFile(path, (handle) => writeSealed(handle, tensors, { ...options, metadata }), { isGood });
    } catch (error) {
      options.signal?.throwIfAborted();
      // What another process has made meanwhile is as good.
      if (!(await isGood())) throw error;
    }
  }
  const shard = await openLocalShard(path, path);
  for (const name of tensors.keys()) {
    if (!shard.tensors.has(name))
      throw new SafetensorsError('FILE_CHANGED', path, `lost ${JSON.stringify(name)}`, { tensor: name });
  }
  return { file: shard.file, tensors: shard.tensors, written };
}

async function prepare(cacheFolder: string): Promise<void> {
  try {
    await makeFolder(cacheFolder);
    await access(cacheFolder, constants.W_OK);
  } catch (cause) {
    throw new Blip2Error('CACHE_FOLDER', `converted weights cannot be kept in ${cacheFolder}: ${reasonOf(cause)}`, {
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
