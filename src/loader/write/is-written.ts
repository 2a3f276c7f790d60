/**
 * Whether a file holds, byte for byte, what a job would write: each stretch is made again and compared. That costs the
 * writing nothing, where a hash taken on the way would cost it a third of a core at the speed of a disk.
 */
import { FileSource } from '../file/file-source.js';
import { SourceFiles } from '../file/source-files.js';
import type { FileLayout } from './file-layout.js';
import { StretchMaker } from './make-stretch.js';
import type { ShardTensor } from './shard-tensor.js';
import { stretches } from './stretches.js';

interface IsWrittenOptions {
  /** What the stretches are cut to. */
  readonly stretchBytes: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * @returns how many finite values have become infinite in it; null where it holds something else
 * @throws SafetensorsError `IO_ERROR`, `FILE_CHANGED`, `NOT_QUANTIZABLE`
 */
export async function isWritten(
  path: string,
  layout: FileLayout,
  tensors: ReadonlyMap<string, ShardTensor>,
  { stretchBytes, signal }: IsWrittenOptions,
): Promise<number | null> {
  await using file = await FileSource.open(path);
  if (file.sizeBytes !== layout.sizeBytes) return null;
  if (Buffer.compare(await file.read(0, layout.front.length), layout.front) !== 0) return null;
  await using sources = new SourceFiles();
  const maker = new StretchMaker(stretchBytes);
  let overflowed = 0;
  for (const stretch of stretches(layout, tensors, stretchBytes)) {
    signal?.throwIfAborted();
    const made = await maker.makeFrom(stretch, sources);
    overflowed += maker.overflowed;
    for (const { bytes, position } of made) {
      if (Buffer.compare(await file.read(position, position + bytes.length), bytes) !== 0) return null;
    }
  }
  return overflowed;
}
