/**
 * Writes a safetensors file out of tensors that lie in other files, converting their dtype on the way.
 *
 * The data passes through a fixed set of buffers, whatever the size of a tensor: each is filled with the next stretch of
 * the new file and written to its place, several at the same time, so that reading, converting and writing overlap.
 */
import type { FileHandle } from 'node:fs/promises';
import { DTYPE_BITS, type Dtype } from '../../tensor/dtype.js';
import { tensorBytes } from '../../tensor/tensor-info.js';
import type { StoredTensor } from '../checkpoint/checkpoint.js';
import { convertFloats, FloatConverter } from '../convert/convert-floats.js';
import type { FileSource } from '../file/file-source.js';
import { SourceFiles } from '../file/source-files.js';
import { layoutFile, type FileLayout, type LayoutOptions, type PlacedTensor } from './file-layout.js';
import { replaceFile } from './replace-file.js';

/** A tensor of the new file: where its bytes come from, and the dtype it is to have. */
export interface ShardTensor {
  readonly source: StoredTensor;
  readonly dtype: Dtype;
}

export interface WriteOptions extends LayoutOptions {
  /** All buffers together. */
  readonly bufferBytes?: number;
  readonly signal?: AbortSignal;
  /** Called with the bytes of the new file written so far. */
  readonly onProgress?: (writtenBytes: number, totalBytes: number) => void;
}

/**
 * Pieces of 1 MiB. Larger ones make Linux look for large free pages for its cache at every write: with 4 MiB the same
 * copy took three times as long (ext4, Linux 6.18).
 */
export const DEFAULT_BUFFER_BYTES = 16 * 1024 * 1024;

/** Stretches in work at the same time: one for each thread of Node's pool for file calls, and as many waiting. */
const SLOTS = 8;

/** Where the parts of a new file's tensors come from. */
export function layoutShard(tensors: ReadonlyMap<string, ShardTensor>, options: LayoutOptions = {}): FileLayout {
  const infos = [...tensors].map(([name, { source, dtype }]) => [name, { dtype, shape: source.shape }] as const);
  return layoutFile(infos, options);
}

/**
 * Writes `path`: whole, or not at all. A file of that name is replaced at the end, so it may not be one of the sources
 * while it is mapped on Windows; elsewhere readers keep the old file.
 * @throws Blip2Error `ConversionUnsupported`, before anything is written; SafetensorsError `FileChanged`, `IoError`.
 */
export async function writeShard(
  path: string,
  tensors: ReadonlyMap<string, ShardTensor>,
  options: WriteOptions = {},
): Promise<FileLayout> {
  for (const { source, dtype } of tensors.values()) checkConversion(source.dtype, dtype);
  const layout = layoutShard(tensors, options);
  await using sources = new SourceFiles();
  await replaceFile(path, async (handle) => {
    await writeAll(handle, layout.front, 0);
    await new ShardWriter(handle, layout, tensors, sources, options).run();
  });
  return layout;
}

/** Throws at once where the pair of dtypes has no conversion. */
function checkConversion(from: Dtype, to: Dtype): void {
  convertFloats(new Uint8Array(0), from, new Uint8Array(0), to);
}

/** A stretch of one tensor, in bytes of the new file. */
interface Part {
  readonly tensor: PlacedTensor;
  readonly begin: number;
  readonly end: number;
}

/** The buffers of one worker, in memory that conversions work in. */
class Slot {
  readonly converter: FloatConverter;
  /** Bytes of the new file. */
  readonly file: Uint8Array;
  /** Bytes to be converted. */
  readonly scratch: Uint8Array;

  constructor(slotBytes: number) {
    // Apart by half of what x86 compares of two addresses, see `convert-floats.ts`.
    const scratchBegin = slotBytes + 2048;
    this.converter = new FloatConverter(scratchBegin + slotBytes);
    this.file = this.converter.bytes.subarray(0, slotBytes);
    this.scratch = this.converter.bytes.subarray(scratchBegin);
  }
}

class ShardWriter {
  readonly #handle: FileHandle;
  readonly #layout: FileLayout;
  readonly #tensors: ReadonlyMap<string, ShardTensor>;
  readonly #sources: SourceFiles;
  readonly #options: WriteOptions;
  readonly #slotBytes: number;
  #written: number;

  constructor(
    handle: FileHandle,
    layout: FileLayout,
    tensors: ReadonlyMap<string, ShardTensor>,
    sources: SourceFiles,
    options: WriteOptions,
  ) {
    this.#handle = handle;
    this.#layout = layout;
    this.#tensors = tensors;
    this.#sources = sources;
    this.#options = options;
    this.#written = layout.front.length;
    // Half of a slot holds bytes of the new file, half bytes to be converted. Multiples of 8 keep values whole.
    const { bufferBytes = DEFAULT_BUFFER_BYTES } = options;
    this.#slotBytes = Math.max(4096, Math.floor(bufferBytes / SLOTS / 2 / 4096) * 4096);
  }

  async run(): Promise<void> {
    const stretches = this.#stretches();
    const worker = async (): Promise<void> => {
      const slot = new Slot(this.#slotBytes);
      for (const parts of stretches) {
        this.#options.signal?.throwIfAborted();
        await this.#writeStretch(parts, slot);
      }
    };
    const count = Math.min(SLOTS, Math.ceil((this.#layout.sizeBytes - this.#written) / this.#slotBytes));
    const results = await Promise.allSettled(Array.from({ length: count }, worker));
    for (const result of results) if (result.status === 'rejected') throw result.reason;
  }

  /** The data of the new file, in pieces that fill a buffer. Shared by the workers: each takes the next. */
  *#stretches(): Generator<Part[], void> {
    let parts: Part[] = [];
    let filled = 0;
    for (const tensor of this.#layout.tensors) {
      for (let begin = tensor.begin; begin < tensor.end;) {
        const room = this.#slotBytes - filled;
        // Cut between values, the longest of which has 8 bytes.
        const length = Math.min(tensor.end - begin, room - (room % 8));
        if (length > 0) parts.push({ tensor, begin, end: begin + length });
        begin += length;
        filled += length;
        if (begin === tensor.end && filled < this.#slotBytes) continue;
        yield parts;
        parts = [];
        filled = 0;
      }
    }
    if (parts.length > 0) yield parts;
  }

  async #writeStretch(parts: readonly Part[], slot: Slot): Promise<void> {
    const [first] = parts;
    if (first === undefined) return;
    let filled = 0;
    for (const part of parts) {
      const length = part.end - part.begin;
      await this.#fill(part, slot.file.subarray(filled, filled + length), slot);
      filled += length;
    }
    await writeAll(this.#handle, slot.file.subarray(0, filled), first.begin);
    this.#written += filled;
    this.#options.onProgress?.(this.#written, this.#layout.sizeBytes);
  }

  async #fill({ tensor, begin }: Part, into: Uint8Array, slot: Slot): Promise<void> {
    const wanted = this.#tensors.get(tensor.name);
    if (wanted === undefined) throw new RangeError(tensor.name);
    const { source, dtype } = wanted;
    const file = await this.#sources.get(source.file);
    const done = begin - tensor.begin;
    if (source.dtype === dtype) return file.readInto(into, source.begin + done);
    await this.#convert(file, { source, dtype }, done, into, slot);
  }

  async #convert(
    file: FileSource,
    { source, dtype }: ShardTensor,
    done: number,
    into: Uint8Array,
    { scratch, converter }: Slot,
  ): Promise<void> {
    const fromBytes = DTYPE_BITS[source.dtype] / 8;
    const toBytes = DTYPE_BITS[dtype] / 8;
    const valuesPerTurn = Math.floor(scratch.length / fromBytes);
    const first = done / toBytes;
    const count = into.length / toBytes;
    for (let value = 0; value < count; value += valuesPerTurn) {
      const values = Math.min(valuesPerTurn, count - value);
      const stored = scratch.subarray(0, values * fromBytes);
      await file.readInto(stored, source.begin + (first + value) * fromBytes);
      converter.convert(stored, source.dtype, into.subarray(value * toBytes, (value + values) * toBytes), dtype);
    }
  }
}

/** A single write may be short; this one is not. */
async function writeAll(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}

/** Bytes of data that a shard of these tensors has, without its header. */
export function shardDataBytes(tensors: Iterable<ShardTensor>): number {
  let sum = 0;
  for (const { source, dtype } of tensors) sum += tensorBytes(source, dtype);
  return sum;
}
