/**
 * Writes a safetensors file out of tensors that lie in other files, converting or quantising them on the way.
 *
 * The data passes through a fixed set of buffers, whatever the size of a tensor: each is filled with the next stretch of
 * the new file and written to its place, several at the same time, so that reading, converting and writing overlap.
 */
import type { FileHandle } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { at } from '../../checked-access.js';
import { SourceFiles } from '../file/source-files.js';
import { layoutFile, type FileLayout, type LayoutOptions } from './file-layout.js';
import { StretchMaker } from './make-stretch.js';
import { replaceFile } from './replace-file.js';
import { checkConversion, shardDataBytes, writtenInfo, type ShardTensor } from './shard-tensor.js';
import { ShardThreads } from './shard-threads.js';
import { StretchQueue } from './stretch-queue.js';
import { StretchSums } from './stretch-sums.js';
import { stretches } from './stretches.js';

/** How a safetensors file is written. */
export interface WriteOptions extends LayoutOptions {
  /** The buffers of this thread together; each further thread has an eighth of it. */
  readonly bufferBytes?: number;
  /** Threads that read, convert and write. Default: up to four where at least 64 MiB are converted, else one. */
  readonly threads?: number;
  readonly signal?: AbortSignal;
  /** Called with the bytes of the new file written so far. */
  readonly onProgress?: (writtenBytes: number, totalBytes: number) => void;
  /** Called at the end with how many finite values are beyond float16 or bfloat16 and have become infinite in the new file. */
  readonly onOverflow?: (values: number) => void;
}

/**
 * Pieces of 1 MiB. Larger ones make Linux look for large free pages for its cache at every write: with 4 MiB the same
 * copy took three times as long (ext4, Linux 6.18).
 */
const DEFAULT_BUFFER_BYTES = 16 * 1024 * 1024;

/** Stretches in work at the same time: one for each thread of Node's pool for file calls, and as many waiting. */
const SLOTS = 8;

/** Below it a thread's start, about 50 ms, would take longer than it saves. */
const MIN_THREADED_BYTES = 64 * 1024 * 1024;
const MAX_THREADS = 4;

/** Where the parts of a new file's tensors come from. */
export function layoutShard(tensors: ReadonlyMap<string, ShardTensor>, options: LayoutOptions = {}): FileLayout {
  return layoutFile(
    [...tensors].map(([name, tensor]) => [name, writtenInfo(tensor)] as const),
    options,
  );
}

/**
 * Writes `path`: whole, or not at all. A file of that name is replaced at the end, so it may not be one of the sources
 * while it is mapped on Windows; elsewhere readers keep the old file.
 * @throws Blip2Error `CONVERSION_UNSUPPORTED`, before anything is written; those of `replaceFile`; SafetensorsError
 *   `FILE_CHANGED`, `IO_ERROR`.
 */
export async function writeShard(
  path: string,
  tensors: ReadonlyMap<string, ShardTensor>,
  options: WriteOptions = {},
): Promise<FileLayout> {
  for (const [name, tensor] of tensors) checkConversion(name, tensor);
  const layout = layoutShard(tensors, options);
  await replaceFile(path, async (handle) => {
    await writeData(handle, layout, tensors, options);
    await writeAll(handle, layout.front, 0);
  });
  return layout;
}

/**
 * Writes everything behind the front of a file into `handle`.
 * @returns the sum of each chunk of it, see `StretchSums`, where `summed`
 * @throws as `writeShard`
 */
export async function writeData(
  handle: FileHandle,
  layout: FileLayout,
  tensors: ReadonlyMap<string, ShardTensor>,
  options: WriteOptions,
  summed = false,
): Promise<Uint32Array> {
  const { signal, onProgress, onOverflow } = options;
  const stretchBytes = stretchBytesOf(options);
  const list = [...stretches(layout, tensors, stretchBytes)];
  const dataStart = layout.front.length;
  const sums = summed ? new StretchSums(list, dataStart) : null;
  const usual = calculatedBytes(tensors) < MIN_THREADED_BYTES ? 1 : Math.min(MAX_THREADS, availableParallelism());
  const { threads: count = usual } = options;
  const queue = StretchQueue.create(list.length, count);
  const shared = { fd: handle.fd, layout, tensors, stretchBytes, sums: sums?.memory ?? null };
  const threads = new ShardThreads(queue, count, shared);
  await using sources = new SourceFiles();
  const write = async (index: number, maker: StretchMaker): Promise<void> => {
    signal?.throwIfAborted();
    const made = await maker.makeFrom(at(list, index), sources);
    sums?.add(index, made);
    queue.setOverflowed(index, maker.overflowed);
    for (const { bytes, position } of made) {
      await writeAll(handle, bytes, position);
      queue.addWritten(0, bytes.length);
    }
    // A stretch that was begun twice counts twice.
    onProgress?.(Math.min(dataStart + queue.writtenBytes, layout.sizeBytes), layout.sizeBytes);
  };
  // The first thread's part of the work, which is all of it where there is no other.
  const next = () => threads.takeLeft() ?? queue.take();
  const work = async (): Promise<void> => {
    const maker = new StretchMaker(stretchBytes);
    for (let index = next(); index !== null; index = next()) await write(index, maker);
  };
  const stop = (error: unknown): never => {
    queue.stop();
    throw error;
  };
  // After a failure nobody begins another stretch, and the file is closed when the last one has ended.
  const slots = Array.from({ length: Math.min(SLOTS, list.length) }, () => work().catch(stop));
  const results = await Promise.allSettled(slots);
  await threads.end();
  for (const result of results) if (result.status === 'rejected') throw result.reason;
  await work();
  onOverflow?.(queue.overflowedValues);
  return sums?.chunks(layout.sizeBytes - dataStart) ?? new Uint32Array();
}

/** Half of a slot holds bytes of the new file, half bytes to be converted. Multiples of 8 keep values whole. */
export function stretchBytesOf({ bufferBytes = DEFAULT_BUFFER_BYTES }: WriteOptions): number {
  return Math.max(4096, Math.floor(bufferBytes / SLOTS / 2 / 4096) * 4096);
}

/** Bytes that are not only copied, which Node's pool of threads does already. */
function calculatedBytes(tensors: ReadonlyMap<string, ShardTensor>): number {
  return shardDataBytes(
    [...tensors.values()].filter(({ source, dtype, quantized }) => source.dtype !== dtype || quantized !== undefined),
  );
}

/** A single write may be short; this one is not. */
export async function writeAll(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}
