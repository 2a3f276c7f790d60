/**
 * Opens a checkpoint: its configuration, its index and the header of every shard, each checked against the others.
 * Weights are never read.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Blip2Error } from '../../errors.js';
import { FileSource } from '../file/file-source.js';
import { readHeader } from '../format/read-header.js';
import { SafetensorsError } from '../format/safetensors-error.js';
import type { Checkpoint, CheckpointWarning, ShardFile } from './checkpoint.js';
import { checkIndex, type OpenShard } from './check-index.js';
import { findCheckpoint, type FoundCheckpoint } from './find-checkpoint.js';
import { readIndexFile } from './parse-index.js';

/** Shards opened at the same time. Each costs a few system calls on Node's pool of four threads. */
const CONCURRENT_SHARDS = 16;

/**
 * @param where a folder (a snapshot of the hub's cache too: symbolic links are followed), a `.safetensors` file, or a
 *   `*.safetensors.index.json`.
 * @throws SafetensorsError for anything that is wrong with the folder, its index or a shard.
 */
export async function openCheckpoint(where: string): Promise<Checkpoint> {
  const found = await findCheckpoint(where);
  const [config, index] = await Promise.all([
    readConfig(found),
    found.index === null ? null : readIndexFile(join(found.folder, found.index)),
  ]);
  const names = index === null ? [found.single ?? ''] : [...new Set(index.weightMap.values())].sort();
  const shards = await openShards(found.folder, names);
  const indexed = index === null ? null : checkIndex(index, shards, join(found.folder, found.index ?? ''));
  return {
    folder: found.folder,
    config,
    files: shards.map((shard) => shard.file),
    tensors: indexed?.tensors ?? new Map(shards.flatMap((shard) => [...shard.tensors])),
    warnings: [...found.warnings, ...shards.flatMap(deviationWarnings), ...(indexed?.warnings ?? [])],
  };
}

async function readConfig(found: FoundCheckpoint): Promise<unknown> {
  if (!found.hasConfig) return null;
  const path = join(found.folder, 'config.json');
  try {
    return JSON.parse(await readFile(path, 'utf8')) as unknown;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Blip2Error('CONFIG_INVALID', `${path} cannot be read as JSON: ${reason}`, { cause });
  }
}

/** Opens all shards. Missing ones are reported together; any other fault is that of the first shard that has one. */
async function openShards(folder: string, names: readonly string[]): Promise<OpenShard[]> {
  const shards: OpenShard[] = [];
  const missing: string[] = [];
  let failure: unknown;
  for (let start = 0; start < names.length; start += CONCURRENT_SHARDS) {
    const batch = names.slice(start, start + CONCURRENT_SHARDS);
    const results = await Promise.allSettled(batch.map((name) => openShard(folder, name)));
    for (const [i, result] of results.entries()) {
      if (result.status === 'fulfilled') shards.push(result.value);
      else if (isMissing(result.reason)) missing.push(batch[i] ?? '');
      else failure ??= result.reason;
    }
  }
  if (missing.length > 0) throw missingShards(folder, missing, names.length);
  if (failure !== undefined) throw failure as Error;
  return shards;
}

async function openShard(folder: string, name: string): Promise<OpenShard> {
  const source = await FileSource.open(join(folder, name));
  try {
    const header = await readHeader(source);
    const file: ShardFile = {
      name,
      path: source.path,
      sizeBytes: source.sizeBytes,
      dataStart: header.dataStart,
      metadata: header.metadata ?? new Map<string, string>(),
    };
    return { file, tensors: header.tensors, deviations: header.deviations };
  } finally {
    await source.close();
  }
}

function isMissing(reason: unknown): boolean {
  return reason instanceof SafetensorsError && (reason.cause as NodeJS.ErrnoException | undefined)?.code === 'ENOENT';
}

function missingShards(folder: string, missing: readonly string[], count: number): SafetensorsError {
  const listed = missing.slice(0, 20).join(', ') + (missing.length > 20 ? ', …' : '');
  return new SafetensorsError('MissingShard', folder, `${missing.length} of ${count} shards missing: ${listed}`, {
    hint: 'Download the missing files into the folder; the other shards are there.',
    details: { missing },
  });
}

function deviationWarnings({ file, deviations }: OpenShard): CheckpointWarning[] {
  return deviations.map((deviation) => ({
    code: 'SpecificationDeviation',
    message: `${file.name}: ${deviation}. Readers accept it; the specification does not.`,
  }));
}
