/** What is kept of converted and quantised weights, and which of it no run will find again. */
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { parseQuantizedName } from '../../tensor/quantized.js';
import type { OpenShard } from '../checkpoint/check-index.js';
import { openLocalShard } from '../checkpoint/open-found.js';
import { fileStamp } from '../file/file-stamp.js';
import { cachedId, parseSources, type SourceStamp } from './cached-file.js';

/** A file of converted or quantised tensors that is kept for later runs. */
export interface CachedFile {
  readonly id: string;
  readonly path: string;
  readonly sizeBytes: number;
  /** When it was made, in milliseconds since 1970. */
  readonly madeMs: number;
  /** Schemes of quantised weights and dtypes of the other tensors, each once. */
  readonly holds: readonly string[];
  /** The files that it is made of; empty where it does not say. */
  readonly madeOf: readonly string[];
  /** A file that it is made of is gone or has changed, or it does not say what it is made of. */
  readonly isStale: boolean;
}

/** Largest first. A folder that is not there is an empty cache. */
export async function listCache(cacheFolder: string): Promise<CachedFile[]> {
  const names = await readdir(cacheFolder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  const listed = await Promise.all(names.map((name) => describe(join(cacheFolder, name), cachedId(name))));
  const files = withStaleSources(listed.filter((file) => file !== null));
  return files.toSorted((a, b) => b.sizeBytes - a.sizeBytes);
}

/**
 * Removes files of a cache. Runs that have one open keep it until they end, but on Windows, which refuses.
 * @throws the system's error where a file cannot be removed
 */
export async function removeCached(files: Iterable<CachedFile>): Promise<void> {
  for (const { path } of files) await rm(path, { force: true });
}

async function describe(path: string, id: string | null): Promise<CachedFile | null> {
  if (id === null) return null;
  const stats = await stat(path).catch(() => null);
  if (stats === null) return null;
  const shard = await openLocalShard(path, path).catch(() => null);
  const sources = shard === null ? [] : parseSources(shard.file.metadata);
  return {
    id,
    path,
    sizeBytes: stats.size,
    madeMs: stats.mtimeMs,
    holds: shard === null ? [] : formsOf(shard),
    madeOf: sources.map((source) => source.path),
    isStale: sources.length === 0 || !(await areAsTheyWere(sources)),
  };
}

function formsOf({ tensors }: OpenShard): string[] {
  return [...new Set([...tensors].map(([name, { dtype }]) => parseQuantizedName(name)?.scheme ?? dtype))];
}

async function areAsTheyWere(sources: readonly SourceStamp[]): Promise<boolean> {
  for (const { path, stamp } of sources) {
    if ((await fileStamp(path).catch(() => null)) !== stamp) return false;
  }
  return true;
}

/** What is made of a stale file of the cache is stale with it. */
function withStaleSources(files: readonly CachedFile[]): CachedFile[] {
  const stale = new Set(files.filter(({ isStale }) => isStale).map(({ path }) => path));
  const next = files.map((file) => ({ ...file, isStale: file.isStale || file.madeOf.some((path) => stale.has(path)) }));
  const grew = next.some(({ isStale }, i) => isStale && files[i]?.isStale === false);
  return grew ? withStaleSources(next) : next;
}
