/**
 * The seal of a cached file: sums of its header and of every MiB of its data, in its own metadata. It is written last, so a
 * file whose writing was cut short, under whatever name, has none; and damage that keeps the length does not keep the sums.
 */
import type { FileHandle } from 'node:fs/promises';
import { reasonOf } from '../../errors.js';
import { FileSource } from '../file/file-source.js';
import { readHeader } from '../format/read-header.js';
import { remainder } from '../file/crc32.js';
import type { FileLayout } from '../write/file-layout.js';
import { CHUNK_BYTES } from '../write/stretch-sums.js';
import { layoutShard, writeAll, writeData, type WriteOptions } from '../write/write-shard.js';
import { shardDataBytes, type ShardTensor } from '../write/shard-tensor.js';

/** The key of a file's metadata. */
const SEAL = 'sealed';

/** Of an algorithm and a chunk that change, the name changes. */
const KIND = 'crc32/1MiB:';
const DIGITS = 8;

/** Writes tensors with the seal of what was written. */
export async function writeSealed(
  handle: FileHandle,
  tensors: ReadonlyMap<string, ShardTensor>,
  { metadata, ...options }: WriteOptions,
): Promise<void> {
  const chunks = Math.ceil(shardDataBytes(tensors.values()) / CHUNK_BYTES);
  const layoutWith = (seal: string): FileLayout =>
    layoutShard(tensors, { ...options, metadata: new Map(metadata).set(SEAL, seal) });
  const blank = layoutWith(blankSeal(chunks));
  const sums = await writeData(handle, blank, tensors, options, true);
  await writeAll(handle, layoutWith(sealOf(blank.front, sums)).front, 0);
}

function sealOf(blankFront: Uint8Array, sums: Uint32Array): string {
  return KIND + [remainder(blankFront), ...sums].map((sum) => sum.toString(16).padStart(DIGITS, '0')).join('');
}

function blankSeal(chunks: number): string {
  return KIND + '0'.repeat(DIGITS * (1 + chunks));
}

/** Chunks that are looked at where not all are: damage of a whole file is found, that of a few pages may not be. */
const SAMPLES = 16;

interface CheckOptions {
  /** All of the data, or the first and last chunk and some between them, other ones each time. */
  readonly extent: 'all' | 'samples';
  readonly signal?: AbortSignal;
  readonly onProgress?: (doneBytes: number, totalBytes: number) => void;
}

/** What is wrong with a sealed file, null where nothing is. Does not throw for any content. */
export async function sealFault(path: string, { extent, signal, onProgress }: CheckOptions): Promise<string | null> {
  try {
    await using source = await FileSource.open(path);
    const { dataStart, metadata } = await readHeader(source);
    const seal = metadata?.get(SEAL);
    const chunks = Math.ceil((source.sizeBytes - dataStart) / CHUNK_BYTES);
    if (seal?.startsWith(KIND) !== true) return 'it has no seal';
    if (seal.length !== blankSeal(chunks).length) return 'its seal is of a file of another size';
    const front = Buffer.from(await source.read(0, dataStart));
    front.write(blankSeal(chunks), front.indexOf(seal), 'latin1');
    if (remainder(front) !== sumAt(seal, 0)) return 'its header is not what was written';
    const looked = extent === 'all' ? [...Array(chunks).keys()] : sampled(chunks);
    for (const [done, chunk] of looked.entries()) {
      signal?.throwIfAborted();
      const begin = dataStart + chunk * CHUNK_BYTES;
      const bytes = await source.read(begin, Math.min(source.sizeBytes, begin + CHUNK_BYTES));
      if (remainder(bytes) !== sumAt(seal, 1 + chunk)) return `its bytes from ${begin} on are not what was written`;
      onProgress?.(Math.min(source.sizeBytes, (done + 1) * CHUNK_BYTES), source.sizeBytes);
    }
    return null;
  } catch (error) {
    signal?.throwIfAborted();
    return reasonOf(error);
  }
}

function sumAt(seal: string, index: number): number {
  return Number.parseInt(seal.slice(KIND.length + index * DIGITS, KIND.length + (index + 1) * DIGITS), 16);
}

/** One of each of as many equal parts of the file, and its ends. */
function sampled(chunks: number): number[] {
  if (chunks <= SAMPLES) return [...Array(chunks).keys()];
  const part = chunks / SAMPLES;
  const between = Array.from({ length: SAMPLES }, (_, i) => Math.floor((i + Math.random()) * part));
  return [...new Set([0, ...between, chunks - 1])];
}
