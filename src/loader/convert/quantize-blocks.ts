/**
 * Weights as blocks of small integers with a float16 scale each, as `src/tensor/quantized.ts` describes them. float16 and
 * bfloat16 pass through float32, window by window.
 */
import { Blip2Error } from '../../errors.js';
import { DTYPE_BITS, type Dtype } from '../../tensor/dtype.js';
import { QUANT_BITS, QUANT_BLOCK_SIZE, type QuantScheme } from '../../tensor/quantized.js';
import { FloatConverter, isFloatDtype, FLOAT_DTYPES } from './convert-floats.js';
import { AREA_BYTES, WINDOW_VALUES, type KernelMemory } from './kernel-memory.js';

/** A float16. */
export const SCALE_BYTES = 2;
/** The exponent of an infinite or undefined float16. */
const NOT_FINITE = 0x7c00;

/** Where a window's parts lie. Floats are converted through the first two areas, which are free again afterwards. */
const INTEGERS = 0;
const SCALES = AREA_BYTES;
const FLOATS = 2 * AREA_BYTES;

/** Quantises in its memory. */
export class BlockQuantizer {
  readonly #converter: FloatConverter;

  constructor(memory: KernelMemory) {
    this.#converter = new FloatConverter(memory);
  }

  /**
   * Quantises consecutive values; the last block is filled up with zeros.
   * @param values takes 32 bytes per block
   * @param scales takes 2 bytes per block
   * @returns the first block whose scale is not finite: one of its values is infinite, undefined, or too large for a
   *   float16 scale. null where all are finite.
   * @throws Blip2Error `CONVERSION_UNSUPPORTED` for a dtype that is no float of 16 or 32 bits
   */
  quantize(
    source: Uint8Array,
    from: Dtype,
    scheme: QuantScheme,
    values: Uint8Array,
    scales: Uint8Array,
  ): number | null {
    checkQuantizable(from);
    const { bytes } = this.#converter.memory;
    const kernel = this.#converter.memory.kernel(scheme);
    const blockSize = QUANT_BLOCK_SIZE[scheme];
    const blockBytes = (blockSize * QUANT_BITS[scheme]) / 8;
    const fromBytes = DTYPE_BITS[from] / 8;
    const count = source.length / fromBytes;
    for (let begin = 0; begin < count; begin += WINDOW_VALUES) {
      const length = Math.min(WINDOW_VALUES, count - begin);
      const blocks = Math.ceil(length / blockSize);
      const floats = bytes.subarray(FLOATS, FLOATS + 4 * blocks * blockSize);
      this.#converter.convert(
        source.subarray(begin * fromBytes, (begin + length) * fromBytes),
        from,
        floats.subarray(0, 4 * length),
        'F32',
      );
      floats.fill(0, 4 * length);
      kernel(FLOATS, FLOATS + floats.length, INTEGERS, SCALES);
      const first = begin / blockSize;
      values.set(bytes.subarray(INTEGERS, INTEGERS + blocks * blockBytes), first * blockBytes);
      const scaleBytes = bytes.subarray(SCALES, SCALES + blocks * SCALE_BYTES);
      scales.set(scaleBytes, first * SCALE_BYTES);
      const faulty = firstNotFinite(scaleBytes);
      if (faulty !== null) return first + faulty;
    }
    return null;
  }
}

function firstNotFinite(scales: Uint8Array): number | null {
  const halves = new Uint16Array(scales.buffer, scales.byteOffset, scales.length / SCALE_BYTES);
  for (let block = 0; block < halves.length; block++)
    if (((halves[block] ?? 0) & NOT_FINITE) === NOT_FINITE) return block;
  return null;
}

/** @throws Blip2Error `CONVERSION_UNSUPPORTED` */
export function checkQuantizable(from: Dtype): void {
  if (isFloatDtype(from)) return;
  throw new Blip2Error('CONVERSION_UNSUPPORTED', `${from} cannot be quantised.`, {
    hint: `Weights of ${FLOAT_DTYPES.join(', ')} can.`,
    details: { from },
  });
}
