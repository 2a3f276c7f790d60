/**
 * Writes a safetensors file out of tensors that lie in other files, converting or quantising them on the way.
 *
 * The data passes through a fixed set of buffers, whatever the size of a tensor: each is filled with the next stretch of
 * the new file and written to its place, several at the same time, so that reading, converting and writing overlap.
 */
import type { FileHandle } from 'node:fs/promises';
import { DTYPE_BITS } from '../../tensor/dtype.js';
import { QUANT_BITS, QUANT_BLOCK_SIZE } from '../../tensor/quantized.js';
import { FloatConverter } from '../convert/convert-floats.js';
import { KernelMemory } from '../convert/kernel-memory.js';
import { BlockQuantizer, SCALE_BYTES } from '../convert/quantize-blocks.js';
import type { FileSource } from '../file/file-source.js';
import { SourceFiles } from '../file/source-files.js';
import { SafetensorsError } from '../format/safetensors-error.js';
import { layoutFile, type FileLayout, type LayoutOptions } from './file-layout.js';
import { replaceFile } from './replace-file.js';
import { checkConversion, writtenInfo, type ShardTensor } from './shard-tensor.js';
import { blockRuns, stretches, type BlockRange, type Part, type QuantizedWeight } from './stretches.js';

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
  return layoutFile(
    [...tensors].map(([name, tensor]) => [name, writtenInfo(tensor)] as const),
    options,
  );
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
  for (const [name, tensor] of tensors) checkConversion(name, tensor);
  const layout = layoutShard(tensors, options);
  await using sources = new SourceFiles();
  await replaceFile(path, async (handle) => {
    await writeAll(handle, layout.front, 0);
    await new ShardWriter(handle, layout, tensors, sources, options).run();
  });
  return layout;
}

/** The buffers of one worker, in memory that conversions work in. */
class Slot {
  readonly converter: FloatConverter;
  readonly quantizer: BlockQuantizer;
  /** Bytes of the new file. */
  readonly file: Uint8Array;
  /** Bytes to be converted. */
  readonly scratch: Uint8Array;

  constructor(slotBytes: number) {
    // Apart by half of what x86 compares of two addresses, see `convert-floats.ts`.
    const scratchBegin = slotBytes + 2048;
    const memory = new KernelMemory(scratchBegin + slotBytes);
    this.converter = new FloatConverter(memory);
    this.quantizer = new BlockQuantizer(memory);
    this.file = memory.room.subarray(0, slotBytes);
    this.scratch = memory.room.subarray(scratchBegin);
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
    const queue = stretches(this.#layout, this.#tensors, this.#slotBytes);
    const worker = async (): Promise<void> => {
      const slot = new Slot(this.#slotBytes);
      for (const stretch of queue) {
        this.#options.signal?.throwIfAborted();
        this.#written += await (stretch.kind === 'bytes'
          ? this.#writeParts(stretch.parts, slot)
          : this.#writeBlocks(stretch, slot));
        this.#options.onProgress?.(this.#written, this.#layout.sizeBytes);
      }
    };
    const count = Math.min(SLOTS, Math.ceil((this.#layout.sizeBytes - this.#written) / this.#slotBytes));
    const results = await Promise.allSettled(Array.from({ length: count }, worker));
    for (const result of results) if (result.status === 'rejected') throw result.reason;
  }

  /** Returns the bytes written. */
  async #writeParts(parts: readonly Part[], slot: Slot): Promise<number> {
    let filled = 0;
    for (const part of parts) {
      const length = part.end - part.begin;
      await this.#fill(part, slot.file.subarray(filled, filled + length), slot);
      filled += length;
    }
    await writeAll(this.#handle, slot.file.subarray(0, filled), parts[0]?.begin ?? 0);
    return filled;
  }

  /** Returns the bytes written. */
  async #writeBlocks(range: BlockRange, { scratch, file, quantizer }: Slot): Promise<number> {
    const { weight, first, end } = range;
    const { source, scheme } = weight;
    const valueBytes = DTYPE_BITS[source.dtype] / 8;
    const blockBytes = (QUANT_BLOCK_SIZE[scheme] * QUANT_BITS[scheme]) / 8;
    const runs = blockRuns(range);
    const begin = source.begin + (runs[0]?.begin ?? 0) * valueBytes;
    const stored = scratch.subarray(0, source.begin + (runs.at(-1)?.end ?? 0) * valueBytes - begin);
    await (await this.#sources.get(source.file)).readInto(stored, begin);
    const values = file.subarray(0, (end - first) * blockBytes);
    const scales = file.subarray(values.length, values.length + (end - first) * SCALE_BYTES);
    for (const run of runs) {
      const runBegin = source.begin + run.begin * valueBytes - begin;
      const runBytes = stored.subarray(runBegin, runBegin + (run.end - run.begin) * valueBytes);
      const runValues = values.subarray(run.blocksBefore * blockBytes);
      const faulty = quantizer.quantize(
        runBytes,
        source.dtype,
        scheme,
        runValues,
        scales.subarray(run.blocksBefore * SCALE_BYTES),
      );
      if (faulty !== null) throw notQuantizable(weight, run.begin + faulty * QUANT_BLOCK_SIZE[scheme]);
    }
    for (const tensor of weight.values) await writeAll(this.#handle, values, tensor.begin + first * blockBytes);
    for (const tensor of weight.scales) await writeAll(this.#handle, scales, tensor.begin + first * SCALE_BYTES);
    return values.length * weight.values.length + scales.length * weight.scales.length;
  }

  async #fill({ tensor, wanted: { source, dtype }, begin }: Part, into: Uint8Array, slot: Slot): Promise<void> {
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

/** @param position of the first value of the block at fault, in its weight */
function notQuantizable({ source, scheme, values, scales }: QuantizedWeight, position: number): SafetensorsError {
  const [, columns = 1] = source.shape;
  const name = (values[0] ?? scales[0])?.name.replace(/\.int[48](_scales)?$/, '') ?? '';
  const row = Math.floor(position / columns);
  const column = position % columns;
  const last = Math.min(columns, column + QUANT_BLOCK_SIZE[scheme]) - 1;
  return new SafetensorsError(
    'NotQuantizable',
    source.file,
    `${JSON.stringify(name)} cannot be stored as ${scheme}: in row ${row}, columns ${column} to ${last}, a value is infinite, not a number, or above what a float16 scale can express`,
    {
      tensor: name,
      hint: '`blip2-shard verify --deep` counts such values. Leave this weight as it is, or fetch the checkpoint again.',
      details: { row, column, scheme },
    },
  );
}
