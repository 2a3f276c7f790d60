/**
 * `model.safetensors.index.json`: which shard holds which tensor.
 *
 * transformers trusts every path in it; here a path that leaves the folder is refused before anything is opened, by the
 * rules of every system at once, because the same file is read on all of them.
 */
import { readFile } from 'node:fs/promises';
import { JsonError, JsonScanner } from '../format/json-scanner.js';
import { SafetensorsError } from '../format/safetensors-error.js';

export interface CheckpointIndex {
  /** tensor name -> shard, a path relative to the index. */
  readonly weightMap: ReadonlyMap<string, string>;
  /** `metadata.total_size` as it is written; null where the index has none. */
  readonly totalSize: string | null;
  readonly hasMetadata: boolean;
}

/** @throws SafetensorsError `IndexInvalid`, `DuplicateKey`, `UnsafeShardPath`. */
export async function readIndexFile(path: string): Promise<CheckpointIndex> {
  try {
    const bytes = await readFile(path);
    return parseIndex(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes), path);
  } catch (cause) {
    if (cause instanceof SafetensorsError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new SafetensorsError('IndexInvalid', path, `cannot be read: ${reason}`, { cause });
  }
}

/** @throws as `readIndexFile`. */
export function parseIndex(text: string, file: string): CheckpointIndex {
  const scanner = new JsonScanner(text);
  let weightMap: Map<string, string> | undefined;
  let totalSize: string | null = null;
  let hasMetadata = false;
  try {
    scanner.object('index', (key) => {
      if (key === 'weight_map') {
        if (weightMap !== undefined) throw duplicate(file, key);
        weightMap = readWeightMap(scanner, file);
      } else if (key === 'metadata' && scanner.kind() === 'object') {
        hasMetadata = true;
        totalSize = readTotalSize(scanner);
      } else {
        scanner.skip();
      }
    });
    scanner.end();
  } catch (error) {
    if (!(error instanceof JsonError)) throw error;
    throw new SafetensorsError('IndexInvalid', file, `is not a checkpoint index: ${error.message}`, {
      details: { at: error.at },
    });
  }
  if (weightMap === undefined) throw new SafetensorsError('IndexInvalid', file, 'has no weight_map');
  return { weightMap, totalSize, hasMetadata };
}

function readWeightMap(scanner: JsonScanner, file: string): Map<string, string> {
  const weightMap = new Map<string, string>();
  const checked = new Set<string>();
  scanner.object('weight_map', (tensor) => {
    if (weightMap.has(tensor)) throw duplicate(file, tensor);
    const shard = scanner.string(`weight_map entry ${JSON.stringify(tensor)}`);
    if (!checked.has(shard)) {
      checkShardPath(shard, tensor, file);
      checked.add(shard);
    }
    weightMap.set(tensor, shard);
  });
  return weightMap;
}

function readTotalSize(scanner: JsonScanner): string | null {
  let totalSize: string | null = null;
  scanner.object('metadata', (key) => {
    if (key === 'total_size' && scanner.kind() === 'number') totalSize = scanner.number('total_size');
    else scanner.skip();
  });
  return totalSize;
}

function checkShardPath(shard: string, tensor: string, file: string): void {
  const parts = shard.split(/[/\\]/);
  const absolute = parts[0] === '' || /^[A-Za-z]:/.test(shard) || shard.includes('://');
  const problem = absolute
    ? 'is an absolute path'
    : parts.includes('..')
      ? 'leaves the folder'
      : shard.includes('\0')
        ? 'contains NUL'
        : !shard.endsWith('.safetensors')
          ? 'is not a .safetensors file'
          : undefined;
  if (problem === undefined) return;
  throw new SafetensorsError(
    'UnsafeShardPath',
    file,
    `weight_map puts ${JSON.stringify(tensor)} into ${JSON.stringify(shard)}, which ${problem}`,
    {
      tensor,
      details: { shard },
    },
  );
}

function duplicate(file: string, key: string): SafetensorsError {
  return new SafetensorsError('DuplicateKey', file, `key ${JSON.stringify(key)} stands twice`, { tensor: key });
}
