/**
 * Weights as blocks of small integers with a float16 scale each, as `src/tensor/quantized.ts` describes them. float16 and
 * bfloat16 pass through float32, window by window.
 */
import { Blip2Error } from '../../errors.js';
import { DTYPE_BITS, type Dtype } from '../../tensor/dtype.js';
import { QUANT_BITS, QUANT_BLOCK_SIZE, type QuantScheme } from '../../tensor/quantized.js';
import { convertFloatsIn, isFloatDtype, FLOAT_DTYPES } from './convert-floats.js';
import { AREA_BYTES, WINDOW_VALUES, type KernelMemory } from './kernel-memory.js';

/** A float16. */
export const SCALE_BYTES = 2;

/** Where a window's parts lie. Floats are converted through the first two areas, which are free again afterwards. */
const INTEGERS = 0;
const SCALES = AREA_BYTES;
const FLOATS = 2 * AREA_BYTES;

const KERNELS = { int8: 'quantizeInt8', int4: 'quantizeInt4' } as const;

/**
 * Quantises consecutive values; the last block is filled up with zeros.
 * @param values takes 32 bytes per block
 * @param scales takes 2 bytes per block
 * @returns the first block whose scale is not finite: one of its values is infinite, undefined, or too large for a
 *   float16 scale. null where all are finite.
 * @throws Blip2Error `CONVERSION_UNSUPPORTED` for a dtype that is no float of 16 or 32 bits
 */
export function quantizeFloats(
  memory: KernelMemory,
  source: Uint8Array,
  from: Dtype,
  scheme: QuantScheme,
  values: Uint8Array,
  scales: Uint8Array,
): number | null {
  checkQuantizable(from);
  const { bytes, kernels } = memory;
  const blockSize = QUANT_BLOCK_SIZE[scheme];
  const blockBytes = (blockSize * QUANT_BITS[scheme]) / 8;
  const fromBytes = DTYPE_BITS[from] / 8;
  const count = source.length / fromBytes;
  for (let begin = 0; begin < count; begin += WINDOW_VALUES) {
    const length = Math.min(WINDOW_VALUES, count - begin);
    const blocks = Math.ceil(length / blockSize);
    const floats = bytes.subarray(FLOATS, FLOATS + 4 * blocks * blockSize);
    const stored = source.subarray(begin * fromBytes, (begin + length) * fromBytes);
    convertFloatsIn(memory, stored, from, floats.subarray(0, 4 * length), 'F32');
    floats.fill(0, 4 * length);
    const sound = kernels[KERNELS[scheme]](FLOATS, blocks, INTEGERS, SCALES);
    const first = begin / blockSize;
    if (sound < blocks) return first + sound;
    values.set(bytes.subarray(INTEGERS, INTEGERS + blocks * blockBytes), first * blockBytes);
    scales.set(bytes.subarray(SCALES, SCALES + blocks * SCALE_BYTES), first * SCALE_BYTES);
  }
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
