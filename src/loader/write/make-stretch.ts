/**
 * Makes the bytes of one stretch of a new file. It says what it wants to be read, and in the end what is to be written
 * where, so that the same code serves threads that wait for a read and those that do something else meanwhile.
 */
import { at } from '../../checked-access.js';
import { DTYPE_BITS } from '../../tensor/dtype.js';
import { QUANT_BITS, QUANT_BLOCK_SIZE } from '../../tensor/quantized.js';
import { convertFloatsIn } from '../convert/convert-floats.js';
import { KernelMemory } from '../convert/kernel-memory.js';
import { quantizeFloats, SCALE_BYTES } from '../convert/quantize-floats.js';
import type { SourceFiles } from '../file/source-files.js';
import { quote } from '../format/quote.js';
import { SafetensorsError } from '../format/safetensors-error.js';
import {
  blockRuns,
  stretchRanges,
  type BlockStretch,
  type Part,
  type QuantizedWeight,
  type Stretch,
} from './stretches.js';

/** Fill `into` with the bytes of `file` from `position` on. */
export interface ReadRequest {
  readonly file: string;
  readonly position: number;
  readonly into: Uint8Array;
}

/** Write these bytes to the new file, before the next stretch is made. */
export interface WriteRequest {
  readonly bytes: Uint8Array;
  readonly position: number;
}

/** Where the parts of two buffers lie apart by half of what x86 compares of two addresses, see `kernel-memory.ts`. */
const SKEW_BYTES = 2048;

/** Buffers for one stretch at a time, in memory that kernels work in. */
export class StretchMaker {
  readonly #memory: KernelMemory;
  /** Bytes of the new file. */
  readonly #made: Uint8Array;
  /** Bytes to be converted. */
  readonly #stored: Uint8Array;

  /** @param stretchBytes what the stretches were cut to */
  constructor(stretchBytes: number) {
    this.#memory = new KernelMemory(2 * stretchBytes + SKEW_BYTES);
    this.#made = this.#memory.room.subarray(0, stretchBytes);
    this.#stored = this.#memory.room.subarray(stretchBytes + SKEW_BYTES);
  }

  /** Finite values of the stretch made last that have become infinite. */
  get overflowed(): number {
    return this.#memory.kernels.overflowed.value;
  }

  /** @throws SafetensorsError `NOT_QUANTIZABLE` */
  *make(stretch: Stretch): Generator<ReadRequest, readonly WriteRequest[], void> {
    this.#memory.kernels.overflowed.value = 0;
    if (stretch.kind === 'blocks') return yield* this.#quantize(stretch);
    let filled = 0;
    for (const part of stretch.parts) {
      const length = part.end - part.begin;
      yield* this.#fill(part, this.#made.subarray(filled, filled + length));
      filled += length;
    }
    return stretchRanges(stretch).map(({ begin }) => ({ bytes: this.#made.subarray(0, filled), position: begin }));
  }

  /** The same for a thread that does something else while it waits. The bytes are valid until the next stretch is made. */
  async makeFrom(stretch: Stretch, sources: SourceFiles): Promise<readonly WriteRequest[]> {
    const making = this.make(stretch);
    let step = making.next();
    for (; step.done !== true; step = making.next()) {
      const { file, position, into } = step.value;
      await (await sources.get(file)).readInto(into, position);
    }
    return step.value;
  }

  *#fill({ tensor, wanted, begin }: Part, into: Uint8Array): Generator<ReadRequest, void, void> {
    const { source, dtype } = wanted;
    const done = begin - tensor.begin;
    if (source.dtype === dtype) {
      yield { file: source.file, position: source.begin + done, into };
      return;
    }
    const fromBytes = DTYPE_BITS[source.dtype] / 8;
    const toBytes = DTYPE_BITS[dtype] / 8;
    const valuesPerTurn = Math.floor(this.#stored.length / fromBytes);
    const first = done / toBytes;
    const count = into.length / toBytes;
    for (let value = 0; value < count; value += valuesPerTurn) {
      const values = Math.min(valuesPerTurn, count - value);
      const stored = this.#stored.subarray(0, values * fromBytes);
      yield { file: source.file, position: source.begin + (first + value) * fromBytes, into: stored };
      const made = into.subarray(value * toBytes, (value + values) * toBytes);
      convertFloatsIn(this.#memory, stored, source.dtype, made, dtype);
    }
  }

  *#quantize(range: BlockStretch): Generator<ReadRequest, readonly WriteRequest[], void> {
    const { weight, first, end } = range;
    const { source, scheme } = weight;
    const valueBytes = DTYPE_BITS[source.dtype] / 8;
    const blockBytes = (QUANT_BLOCK_SIZE[scheme] * QUANT_BITS[scheme]) / 8;
    const runs = blockRuns(range);
    const firstValue = at(runs, 0).begin;
    const stored = this.#stored.subarray(0, (at(runs, runs.length - 1).end - firstValue) * valueBytes);
    yield { file: source.file, position: source.begin + firstValue * valueBytes, into: stored };
    const values = this.#made.subarray(0, (end - first) * blockBytes);
    const scales = this.#made.subarray(values.length, values.length + (end - first) * SCALE_BYTES);
    for (const { blocksBefore, begin, end: runEnd } of runs) {
      const faulty = quantizeFloats(
        this.#memory,
        stored.subarray((begin - firstValue) * valueBytes, (runEnd - firstValue) * valueBytes),
        source.dtype,
        scheme,
        values.subarray(blocksBefore * blockBytes),
        scales.subarray(blocksBefore * SCALE_BYTES),
      );
      if (faulty !== null) throw notQuantizable(weight, begin + faulty * QUANT_BLOCK_SIZE[scheme]);
    }
    const made = [...weight.values.map(() => values), ...weight.scales.map(() => scales)];
    return stretchRanges(range).map((place, i) => ({ bytes: at(made, i), position: place.begin }));
  }
}

/** @param position of the first value of the block at fault, in its weight */
function notQuantizable({ source, scheme, values, scales }: QuantizedWeight, position: number): SafetensorsError {
  const columns = at(source.shape, 1);
  const name = at([...values, ...scales], 0).name.replace(/\.int[48](_scales)?$/, '');
  const row = Math.floor(position / columns);
  const column = position % columns;
  const last = Math.min(columns, column + QUANT_BLOCK_SIZE[scheme]) - 1;
  return new SafetensorsError(
    'NOT_QUANTIZABLE',
    source.file,
    `${quote(name)} cannot be stored as ${scheme}: in row ${row}, columns ${column} to ${last}, a value is infinite, not a number, or above what a float16 scale can express`,
    {
      tensor: name,
      hint: '`blip2-shard verify --deep` counts such values. Leave this weight as it is, or fetch the checkpoint again.',
      details: { row, column, scheme },
    },
  );
}
