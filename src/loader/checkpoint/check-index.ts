/**
 * The index against the headers of the shards it names. A foreign index beside shards of the same names loads wrong
 * weights without a word in other readers; here every name is looked up.
 */
import { at } from '../../checked-access.js';
import { quote } from '../format/quote.js';
import { SafetensorsError } from '../format/safetensors-error.js';
import type { CheckpointWarning, ShardFile } from './checkpoint.js';
import type { StoredTensor } from '../format/stored-tensor.js';
import type { CheckpointIndex } from './parse-index.js';
import { incompleteFamilies } from './shard-numbers.js';

export interface OpenShard {
  readonly file: ShardFile;
  /** By offset. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** See `SafetensorsHeader.deviations`. */
  readonly deviations: readonly string[];
}

interface IndexedTensors {
  /** What the index lists, shard by shard, by offset. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** What it does not list. */
  readonly unlisted: ReadonlyMap<string, StoredTensor>;
  readonly warnings: readonly CheckpointWarning[];
}

/** @throws SafetensorsError `INDEX_MISMATCH` where a tensor is not in the shard that the index names. */
export function checkIndex(index: CheckpointIndex, shards: readonly OpenShard[], file: string): IndexedTensors {
  const tensors = new Map<string, StoredTensor>();
  const allUnlisted = new Map<string, StoredTensor>();
  const warnings: CheckpointWarning[] = [];
  let totalBytes = 0;
  for (const shard of shards) {
    const unlisted: string[] = [];
    const elsewhere: string[] = [];
    for (const [name, tensor] of shard.tensors) {
      const listed = index.weightMap.get(name);
      if (listed === undefined) {
        unlisted.push(name);
        allUnlisted.set(name, tensor);
      } else if (listed !== shard.file.name) elsewhere.push(name);
      else {
        tensors.set(name, tensor);
        totalBytes += tensor.end - tensor.begin;
      }
    }
    warnings.push(...strayTensors(shard.file.name, unlisted, elsewhere));
  }
  if (tensors.size < index.weightMap.size) {
    for (const [name, shard] of index.weightMap) {
      if (!tensors.has(name)) throw misplaced(name, shard, shards, file);
    }
  }
  warnings.push(...totalSize(index, totalBytes), ...numberingGaps(shards.map((shard) => shard.file.name)));
  return { tensors, unlisted: allUnlisted, warnings };
}

function misplaced(tensor: string, shard: string, shards: readonly OpenShard[], file: string): SafetensorsError {
  const actual = shards.find((other) => other.tensors.has(tensor))?.file.name;
  const where = actual === undefined ? 'none of the shards has it' : `it is in ${actual}`;
  return new SafetensorsError('INDEX_MISMATCH', file, `says that ${quote(tensor)} is in ${shard}, but ${where}`, {
    tensor,
    hint: 'The index belongs to other shards, or a shard was replaced. `blip2-shard repair` writes an index from the headers.',
    details: { shard, actual },
  });
}

function strayTensors(file: string, unlisted: readonly string[], elsewhere: readonly string[]): CheckpointWarning[] {
  const warnings: CheckpointWarning[] = [];
  if (unlisted.length > 0) {
    warnings.push({
      code: 'TENSOR_NOT_IN_INDEX',
      message: `${file} has ${list(unlisted)}, which the index does not list: transformers 5 loads it, and plans count it; all else leaves it out.`,
    });
  }
  if (elsewhere.length > 0) {
    warnings.push({
      code: 'TENSOR_IN_TWO_SHARDS',
      message: `${file} has ${list(elsewhere)}, which the index takes from another shard; transformers 5 takes what stands in the last, by name.`,
    });
  }
  return warnings;
}

function totalSize(index: CheckpointIndex, totalBytes: number): CheckpointWarning[] {
  if (!index.hasMetadata)
    return [{ code: 'INDEX_WITHOUT_METADATA', message: 'The index has no metadata; transformers cannot load it.' }];
  if (index.totalSize === null || index.totalSize === String(totalBytes)) return [];
  return [
    {
      code: 'TOTAL_SIZE_WRONG',
      message: `The index says total_size ${index.totalSize}; its tensors have ${totalBytes} bytes.`,
    },
  ];
}

export function numberingGaps(names: readonly string[]): CheckpointWarning[] {
  return incompleteFamilies(names).map(({ family, numbers, count }) => ({
    code: 'SHARD_NUMBERING_GAP',
    message: `${family}: ${numbers.size} of ${count} shards are named by the index.`,
  }));
}

function list(tensors: readonly string[]): string {
  return `${quote(at(tensors, 0))}${tensors.length > 1 ? ` and ${tensors.length - 1} more tensors` : ''}`;
}
