/**
 * What a checkpoint contains, as a hash: the same for any sharding, order, alignment and metadata of the same tensors.
 *
 * SHA-256 over one line `[name, dtype, shape, sha256 of the bytes]` of JSON per tensor, in the order of the names' UTF-8
 * bytes.
 */
import { createHash } from 'node:crypto';
import type { Checkpoint } from '../checkpoint/checkpoint.js';
import type { StoredTensor } from '../format/stored-tensor.js';
import { readChunks } from '../file/read-chunks.js';
import { SourceFiles } from '../file/source-files.js';
import { compareUtf8 } from '../write/file-layout.js';

/** How hashing is watched and ended. */
export interface HashOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (readBytes: number, totalBytes: number) => void;
}

/** A checkpoint's hash and those of its tensors: SHA-256. */
export interface CheckpointHash {
  /** Hexadecimal. */
  readonly hash: string;
  /** tensor name -> SHA-256 of its bytes, hexadecimal, in the order of the checkpoint. */
  readonly tensors: ReadonlyMap<string, string>;
}

/**
 * A checkpoint's content as a hash, which does not depend on shards, order, alignment or metadata. Reads every byte.
 * @throws SafetensorsError `IO_ERROR`, `FILE_CHANGED`; the signal's reason when aborted
 */
export async function hashCheckpoint(
  checkpoint: Checkpoint,
  { signal, onProgress }: HashOptions = {},
): Promise<CheckpointHash> {
  const totalBytes = [...checkpoint.tensors.values()].reduce((sum, { begin, end }) => sum + end - begin, 0);
  const tensors = new Map<string, string>();
  let readBytes = 0;
  await using sources = new SourceFiles();
  for (const [name, tensor] of checkpoint.tensors) {
    const hash = createHash('sha256');
    for await (const chunk of readChunks(await sources.get(tensor.file), tensor.begin, tensor.end)) {
      signal?.throwIfAborted();
      hash.update(chunk);
      readBytes += chunk.length;
      onProgress?.(readBytes, totalBytes);
    }
    tensors.set(name, hash.digest('hex'));
  }
  return { hash: canonicalHash(checkpoint.tensors, tensors), tensors };
}

function canonicalHash(tensors: ReadonlyMap<string, StoredTensor>, hashes: ReadonlyMap<string, string>): string {
  const hash = createHash('sha256');
  for (const [name, { dtype, shape }] of [...tensors].sort(([a], [b]) => compareUtf8(a, b))) {
    hash.update(`${JSON.stringify([name, dtype, shape, hashes.get(name)])}\n`);
  }
  return hash.digest('hex');
}
