import { quote } from '../format/quote.js';
import { SafetensorsError } from '../format/safetensors-error.js';
import type { StoredTensor } from '../format/stored-tensor.js';

/** A safetensors file of a checkpoint. */
export interface ShardFile {
  /** Path as the checkpoint names it, relative to its folder. */
  readonly name: string;
  /** Absolute path, symbolic links resolved. */
  readonly path: string;
  readonly sizeBytes: number;
  /** Where tensor data starts: 8 bytes of length, then the header. */
  readonly dataStart: number;
  readonly metadata: ReadonlyMap<string, string>;
  /** How the file was when its header was read, see `FileSource.stamp`; absent for one that is not on this machine. */
  readonly stamp?: string;
  /** CRC-32, without its inversions, of the bytes before the data; given with `stamp`. */
  readonly headerSum?: number;
}

/** Something about a checkpoint that a reader accepts and a person should know. */
export interface CheckpointWarning {
  readonly code:
    | 'INDEX_IGNORED'
    | 'INDEX_WITHOUT_METADATA'
    | 'SHARD_NUMBERING_GAP'
    | 'SPECIFICATION_DEVIATION'
    | 'TENSOR_IN_NO_SHARD'
    | 'TENSOR_IN_TWO_SHARDS'
    | 'TENSOR_NOT_IN_INDEX'
    | 'TOTAL_SIZE_WRONG';
  readonly message: string;
}

/** An opened checkpoint: headers only, never a weight. Names keep the order of the files (shard by shard, by offset). */
export interface Checkpoint {
  readonly folder: string;
  /** The parsed `config.json`, or null where the folder has none. */
  readonly config: unknown;
  readonly files: readonly ShardFile[];
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** What its shards hold and its index does not list. transformers 5 loads it; nothing here reads it. */
  readonly unlisted?: ReadonlyMap<string, StoredTensor>;
  readonly warnings: readonly CheckpointWarning[];
  /** The dtype that its index names beside the size of all: transformers takes it where config.json names none. */
  readonly indexDtype?: string;
  /** Where it comes from, for a checkpoint on the hub. A file that is not on this machine has an address for a path. */
  readonly hub?: { readonly repo: string; readonly revision: string; readonly commit: string };
}

/** @throws SafetensorsError `TENSOR_NOT_FOUND` */
export function tensorOf({ tensors, folder }: Checkpoint, name: string, where = folder): StoredTensor {
  const tensor = tensors.get(name);
  if (tensor !== undefined) return tensor;
  throw new SafetensorsError('TENSOR_NOT_FOUND', where, `has no tensor ${quote(name)}`, { tensor: name });
}
