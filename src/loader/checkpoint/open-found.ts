/** The opening of checkpoints whose files have been found, wherever their bytes come from. */
import { join } from 'node:path';
import { at } from '../../checked-access.js';
import { Blip2Error } from '../../errors.js';
import { FileSource } from '../file/file-source.js';
import { readSmallFile } from '../file/read-small-file.js';
import { readHeader, type ByteSource } from '../format/read-header.js';
import { SafetensorsError } from '../format/safetensors-error.js';
import type { Checkpoint, CheckpointWarning, ShardFile } from './checkpoint.js';
import { checkIndex, type OpenShard } from './check-index.js';
import { findCheckpoint, type FoundCheckpoint } from './find-checkpoint.js';
import { indexedShards } from './parse-index.js';
import { noConfig, parseConfig } from './parse-config.js';
import { readIndexFile } from './read-index-file.js';
import { headerSum } from './unchanged-files.js';

/** Shards opened at the same time. Each costs a few system calls on Node's pool of four threads. */
const CONCURRENT_SHARDS = 16;
/** Published ones have some thousand. */
const MAX_CONFIG_BYTES = 4_000_000;

/** Opens a folder, a `.safetensors` file or an index on this machine. */
export async function openLocal(where: string): Promise<Checkpoint> {
  const found = await findCheckpoint(where);
  return openFound(found, (name) => openLocalShard(join(found.folder, name), name));
}

/** How the small files of a checkpoint are named in messages, and read. */
interface SmallFiles {
  path(name: string): string;
  /** All of a file, which may have `maxBytes` at most. */
  read(path: string, maxBytes: number): Promise<Uint8Array>;
}

const filesOf = (folder: string): SmallFiles => ({ path: (name) => join(folder, name), read: readSmallFile });

/** Opens what was found, each shard by `openShard`. */
export async function openFound(
  found: FoundCheckpoint,
  openShard: ShardOpener,
  files: SmallFiles = filesOf(found.folder),
): Promise<Checkpoint> {
  const [config, index] = await Promise.all([
    found.hasConfig ? readConfig(files) : null,
    found.isIndex ? readIndexFile(files.path(found.name), (...what) => files.read(...what)) : null,
  ]);
  const names = index === null ? [found.name] : indexedShards(index);
  const shards = await openShards(found.folder, names, openShard);
  const indexed = index === null ? null : checkIndex(index, shards, files.path(found.name));
  return {
    folder: found.folder,
    config,
    files: shards.map((shard) => shard.file),
    tensors: indexed?.tensors ?? new Map(shards.flatMap((shard) => [...shard.tensors])),
    ...(indexed === null || indexed.unlisted.size === 0 ? {} : { unlisted: indexed.unlisted }),
    ...(index === null || index.dtype === null ? {} : { indexDtype: index.dtype }),
    warnings: [...found.warnings, ...shards.flatMap(deviationWarnings), ...(indexed?.warnings ?? [])],
  };
}

/** Reads the header of the shard that the checkpoint calls `name`. */
type ShardOpener = (name: string) => Promise<OpenShard>;

export async function openLocalShard(path: string, name: string): Promise<OpenShard> {
  await using source = await FileSource.open(path);
  const { file, ...shard } = await openShardSource(source, name);
  const { stamp } = source;
  return { ...shard, file: { ...file, stamp, headerSum: await headerSum(source, file.dataStart) } };
}

export async function openShardSource(source: ByteSource, name: string): Promise<OpenShard> {
  const { metadata, tensors, dataStart, deviations } = await readHeader(source);
  const { path, sizeBytes } = source;
  const file: ShardFile = { name, path, sizeBytes, dataStart, metadata: metadata ?? new Map<string, string>() };
  return { file, tensors, deviations };
}

async function readConfig(files: SmallFiles): Promise<unknown> {
  const path = files.path('config.json');
  let bytes: Uint8Array;
  try {
    bytes = await files.read(path, MAX_CONFIG_BYTES);
  } catch (cause) {
    if (cause instanceof Blip2Error && cause.code.startsWith('HUB_')) throw cause;
    throw noConfig(path, cause);
  }
  return parseConfig(Buffer.from(bytes).toString(), path);
}

/** Opens all shards. Missing ones are reported together; any other fault is that of the first shard that has one. */
async function openShards(folder: string, names: readonly string[], openShard: ShardOpener): Promise<OpenShard[]> {
  const shards: OpenShard[] = [];
  const missing: string[] = [];
  let failure: unknown;
  for (let start = 0; start < names.length; start += CONCURRENT_SHARDS) {
    const batch = names.slice(start, start + CONCURRENT_SHARDS);
    const results = await Promise.allSettled(batch.map(openShard));
    for (const [i, result] of results.entries()) {
      if (result.status === 'fulfilled') shards.push(result.value);
      else if (isMissing(result.reason)) missing.push(at(batch, i));
      else failure ??= result.reason;
    }
  }
  if (missing.length > 0) throw missingShards(folder, missing, names.length);
  if (failure !== undefined) throw failure as Error;
  return shards;
}

function isMissing(reason: unknown): boolean {
  return reason instanceof SafetensorsError && (reason.cause as NodeJS.ErrnoException | undefined)?.code === 'ENOENT';
}

function missingShards(folder: string, missing: readonly string[], count: number): SafetensorsError {
  const listed = missing.slice(0, 20).join(', ') + (missing.length > 20 ? ', …' : '');
  return new SafetensorsError('MISSING_SHARD', folder, `${missing.length} of ${count} shards missing: ${listed}`, {
    hint: 'Download the missing files into the folder; the other shards are there.',
    details: { missing },
  });
}

function deviationWarnings({ file, deviations }: OpenShard): CheckpointWarning[] {
  return deviations.map((deviation) => ({
    code: 'SPECIFICATION_DEVIATION',
    message: `${file.name}: ${deviation}. Readers accept it; the specification does not.`,
  }));
}
