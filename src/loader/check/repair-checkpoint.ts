/**
 * Files that the reference reader refuses for a reason that leaves no doubt about any tensor: bytes behind the last
 * tensor, gaps between tensors, white space before the header, keys that stand twice (the last counts, as in the
 * reference), an index that does not fit its shards. The data is copied as it is; only headers and index are new.
 */
import { DTYPE_BITS } from '../../tensor/dtype.js';
import { elementCount } from '../../tensor/tensor-info.js';
import { basename, join, resolve } from 'node:path';
import { numberingGaps } from '../checkpoint/check-index.js';
import type { Checkpoint, CheckpointWarning, ShardFile } from '../checkpoint/checkpoint.js';
import type { StoredTensor } from '../format/stored-tensor.js';
import { findCheckpoint } from '../checkpoint/find-checkpoint.js';
import { indexedShards } from '../checkpoint/parse-index.js';
import { readIndexFile } from '../checkpoint/read-index-file.js';
import { FileSource } from '../file/file-source.js';
import { scanHeader } from '../format/parse-header.js';
import type { HeaderEntry } from '../format/parsed-header.js';
import { readHeaderText } from '../format/read-header.js';
import { quote } from '../format/quote.js';
import { SafetensorsError } from '../format/safetensors-error.js';

/**
 * Opens what `openCheckpoint` refuses, as far as it can be repaired: give the result to `writeCheckpoint`. The shards are
 * those of the index, or the file.
 * @throws SafetensorsError where a tensor's bytes are in doubt: it is cut off, overlaps another, or has the wrong size.
 */
export async function openForRepair(where: string): Promise<Checkpoint> {
  const { folder, names, listed } = await shardsToRepair(where);
  const files: ShardFile[] = [];
  const tensors = new Map<string, StoredTensor>();
  for (const name of names) {
    await using source = await FileSource.open(join(folder, name));
    const { json, dataStart } = await readHeaderText(source);
    const { metadata, entries } = scanHeader(json, source.name, { keepLastDuplicate: true });
    files.push({
      name,
      path: source.path,
      sizeBytes: source.sizeBytes,
      dataStart,
      metadata: metadata ?? new Map<string, string>(),
    });
    for (const [tensor, stored] of placeEntries(entries, source, dataStart)) {
      const other = tensors.get(tensor);
      if (other !== undefined) {
        throw new SafetensorsError(
          'INDEX_MISMATCH',
          source.name,
          `has ${quote(tensor)}, which ${basename(other.file)} has too`,
          { tensor },
        );
      }
      tensors.set(tensor, stored);
    }
  }
  return { folder, config: null, files, tensors, warnings: [...lostTensors(listed, tensors), ...numberingGaps(names)] };
}

interface ShardsToRepair {
  readonly folder: string;
  readonly names: readonly string[];
  /** The tensors of the index; empty where there is none. */
  readonly listed: Iterable<string>;
}

/** Those of the index; without one, numbered shards that are all there. */
async function shardsToRepair(where: string): Promise<ShardsToRepair> {
  try {
    const { folder, name, isIndex } = await findCheckpoint(where);
    if (!isIndex) return { folder, names: [name], listed: [] };
    const index = await readIndexFile(join(folder, name));
    return { folder, names: indexedShards(index), listed: index.weightMap.keys() };
  } catch (error) {
    const { shards } = error instanceof SafetensorsError ? error.details : {};
    if (!isNames(shards)) throw error;
    return { folder: resolve(where), names: shards, listed: [] };
  }
}

function isNames(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((name) => typeof name === 'string');
}

/** An index of another model lists such too: it does not tell whether something is lost. */
function lostTensors(listed: Iterable<string>, tensors: ReadonlyMap<string, StoredTensor>): CheckpointWarning[] {
  const [first, ...more] = [...listed].filter((name) => !tensors.has(name));
  if (first === undefined) return [];
  const all = `${quote(first)}${more.length === 0 ? '' : ` and ${more.length} more tensors`}`;
  return [{ code: 'TENSOR_IN_NO_SHARD', message: `The index lists ${all}, which no shard has: left out.` }];
}

function placeEntries(
  entries: readonly HeaderEntry[],
  source: FileSource,
  dataStart: number,
): Map<string, StoredTensor> {
  const dataBytes = source.sizeBytes - dataStart;
  const placed = new Map<string, StoredTensor>();
  let covered = 0;
  for (const entry of entries.toSorted((a, b) => Number(a.begin) - Number(b.begin) || Number(a.end) - Number(b.end))) {
    const begin = Number(entry.begin);
    const end = Number(entry.end);
    const shape = entry.shape.map(Number);
    const sizeBytes = (elementCount(shape) * DTYPE_BITS[entry.dtype]) / 8;
    const doubt = [...entry.shape, entry.begin, entry.end].some((value) => typeof value === 'bigint')
      ? 'has a number above 2^53 - 1'
      : end > dataBytes
        ? `ends at ${end}, but the file has ${dataBytes} bytes of data`
        : end - begin !== sizeBytes
          ? `needs ${sizeBytes} bytes, but spans ${end - begin}`
          : begin < covered
            ? `begins at ${begin}, inside the tensor before it, which ends at ${covered}`
            : null;
    if (doubt !== null) {
      throw new SafetensorsError(
        'TENSOR_INVALID_INFO',
        source.name,
        `${quote(entry.name)} ${doubt}: this cannot be repaired`,
        { tensor: entry.name },
      );
    }
    covered = end;
    placed.set(entry.name, {
      dtype: entry.dtype,
      shape,
      file: source.path,
      begin: dataStart + begin,
      end: dataStart + end,
    });
  }
  return placed;
}
