/**
 * `model.safetensors.index.json`: which shard holds which tensor.
 *
 * transformers trusts every path in it; here a path that leaves the folder is refused before anything is opened, by the
 * rules of every system at once, because the same file is read on all of them.
 */
import { JsonError, JsonScanner } from '../format/json-scanner.js';
import { quote } from '../format/quote.js';
import { SafetensorsError } from '../format/safetensors-error.js';

export interface CheckpointIndex {
  /** tensor name -> shard, a path relative to the index. */
  readonly weightMap: ReadonlyMap<string, string>;
  /** `metadata.total_size` as it is written; null where the index has none. */
  readonly totalSize: string | null;
  /** `metadata.dtype`, which from_pretrained takes where config.json names none (transformers 5.24); null where there is no such text. */
  readonly dtype: string | null;
  readonly hasMetadata: boolean;
}

/** Indexes of models with a trillion parameters have a third. */
export const MAX_INDEX_BYTES = 32_000_000;
/** The longest path that macOS takes; Linux takes a longer one. */
const MAX_PATH_CHARACTERS = 1024;
/** And they name some hundred shards. */
const MAX_SHARDS = 10_000;

/** @throws SafetensorsError `INDEX_INVALID`, `DUPLICATE_KEY`, `UNSAFE_SHARD_PATH`. */
export function parseIndex(text: string, file: string): CheckpointIndex {
  const index = scanIndex(text, file);
  if (index.weightMap.size === 0)
    throw new SafetensorsError('INDEX_INVALID', file, 'names no tensor: its weight_map is empty');
  const shards = new Set(index.weightMap.values()).size;
  if (shards > MAX_SHARDS)
    throw new SafetensorsError('INDEX_INVALID', file, `names ${shards} shards; at most ${MAX_SHARDS} are opened`);
  return index;
}

/** The shards that an index names, in order. */
export function indexedShards({ weightMap }: CheckpointIndex): string[] {
  return [...new Set(weightMap.values())].sort();
}

/** Value by value, as strict as the reference reader is with headers. */
function scanIndex(text: string, file: string): CheckpointIndex {
  const scanner = new JsonScanner(text);
  let weightMap: Map<string, string> | undefined;
  let said: IndexMetadata = { totalSize: null, dtype: null };
  let hasMetadata = false;
  try {
    scanner.object('index', (key) => {
      if (key === 'weight_map') {
        if (weightMap !== undefined) throw duplicate(file, key);
        weightMap = readWeightMap(scanner, file);
      } else if (key === 'metadata' && scanner.kind() === 'object') {
        hasMetadata = true;
        said = readMetadata(scanner);
      } else {
        scanner.skip();
      }
    });
    scanner.end();
  } catch (error) {
    if (!(error instanceof JsonError)) throw error;
    throw new SafetensorsError('INDEX_INVALID', file, `is not a checkpoint index: ${error.message}`, {
      details: { at: error.at },
    });
  }
  if (weightMap === undefined) throw new SafetensorsError('INDEX_INVALID', file, 'has no weight_map');
  return { weightMap, ...said, hasMetadata };
}

function readWeightMap(scanner: JsonScanner, file: string): Map<string, string> {
  const weightMap = new Map<string, string>();
  const checked = new Set<string>();
  scanner.object('weight_map', (tensor) => {
    if (weightMap.has(tensor)) throw duplicate(file, tensor);
    const shard = scanner.string(`weight_map entry ${quote(tensor)}`);
    if (!checked.has(shard)) {
      checkShardPath(shard, tensor, file);
      checked.add(shard);
    }
    weightMap.set(tensor, shard);
  });
  return weightMap;
}

type IndexMetadata = Pick<CheckpointIndex, 'totalSize' | 'dtype'>;

function readMetadata(scanner: JsonScanner): IndexMetadata {
  let totalSize: string | null = null;
  let dtype: string | null = null;
  scanner.object('metadata', (key) => {
    if (key === 'total_size' && scanner.kind() === 'number') totalSize = scanner.number('total_size');
    else if (key === 'dtype' && scanner.kind() === 'string') dtype = scanner.string('dtype');
    else scanner.skip();
  });
  return { totalSize, dtype };
}

function checkShardPath(shard: string, tensor: string, file: string): void {
  const parts = shard.split(/[/\\]/);
  const absolute = parts[0] === '' || /^[A-Za-z]:/.test(shard) || shard.includes('://');
  const problem = absolute
    ? 'is an absolute path'
    : parts.includes('..')
      ? 'leaves the folder'
      : /\p{Cc}/u.test(shard)
        ? 'contains a control character'
        : shard.length > MAX_PATH_CHARACTERS
          ? `is longer than ${MAX_PATH_CHARACTERS} characters`
          : !shard.endsWith('.safetensors')
            ? 'is not a .safetensors file'
            : undefined;
  if (problem === undefined) return;
  throw new SafetensorsError(
    'UNSAFE_SHARD_PATH',
    file,
    `weight_map puts ${quote(tensor)} into ${quote(shard)}, which ${problem}`,
    {
      tensor,
      details: { shard },
    },
  );
}

function duplicate(file: string, key: string): SafetensorsError {
  return new SafetensorsError('DUPLICATE_KEY', file, `key ${quote(key)} stands twice`, { tensor: key });
}
