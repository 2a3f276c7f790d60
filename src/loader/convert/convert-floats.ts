/**
 * Conversion between the dtypes that weights are stored in, through WebAssembly: the bytes pass a small window of its
 * memory, which stays in the processor's cache, so a conversion costs little more than copying the same bytes.
 */
import { Blip2Error } from '../../errors.js';
import { DTYPE_BITS, type Dtype } from '../../tensor/dtype.js';
import { ALIAS_BYTES, AREA_BYTES, KernelMemory, WINDOW_VALUES } from './kernel-memory.js';

/** What weights are stored in that can be converted and quantised, by their names in a header. */
export const FLOAT_DTYPES = ['F32', 'F16', 'BF16'] as const;

/** One of `FLOAT_DTYPES`. */
export type FloatDtype = (typeof FLOAT_DTYPES)[number];

/** Whether `convertFloats` takes a dtype. */
export function isFloatDtype(dtype: Dtype): dtype is FloatDtype {
  return (FLOAT_DTYPES as readonly Dtype[]).includes(dtype);
}

/** Values that a kernel converts at a time. */
const KERNEL_VALUES = 8;

interface Step {
  readonly kernel:
    'float32ToFloat16' | 'float16ToFloat32' | 'float32ToBfloat16' | 'bfloat16ToFloat32' | 'float16ToBfloat16';
  /** Bytes of a value before this step. */
  readonly valueBytes: number;
}

const DIRECTLY: readonly Step[] = [{ kernel: 'float16ToBfloat16', valueBytes: 2 }];
const TO_FLOAT32: Readonly<Record<FloatDtype, readonly Step[]>> = {
  F32: [],
  F16: [{ kernel: 'float16ToFloat32', valueBytes: 2 }],
  BF16: [{ kernel: 'bfloat16ToFloat32', valueBytes: 2 }],
};
const FROM_FLOAT32: Readonly<Record<FloatDtype, readonly Step[]>> = {
  F32: [],
  F16: [{ kernel: 'float32ToFloat16', valueBytes: 4 }],
  BF16: [{ kernel: 'float32ToBfloat16', valueBytes: 4 }],
};

let shared: KernelMemory | undefined;

/**
 * Converts all values of `source` into `target`. Both are little-endian and need no alignment; they may not overlap.
 * Rounds to nearest, ties to even; NaN too has the bits that PyTorch gives it on x86 (2.15, AVX2).
 * @throws Blip2Error `CONVERSION_UNSUPPORTED` for any other pair of dtypes.
 */
export function convertFloats(source: Uint8Array, from: Dtype, target: Uint8Array, to: Dtype): void {
  convertFloatsIn((shared ??= new KernelMemory()), source, from, target, to);
}

/** The same in a memory of the caller's: what lies in its room is converted without being copied in and out. */
export function convertFloatsIn(
  memory: KernelMemory,
  source: Uint8Array,
  from: Dtype,
  target: Uint8Array,
  to: Dtype,
): void {
  const sourceBytes = DTYPE_BITS[from] / 8;
  const targetBytes = DTYPE_BITS[to] / 8;
  const count = source.length / sourceBytes;
  if (target.length !== count * targetBytes) {
    throw new RangeError(`${count} values do not go from ${source.length} into ${target.length} bytes`);
  }
  if (from === to) return target.set(source);
  const steps = stepsBetween(from, to);
  const direct = convertInPlace(memory, source, target, steps, count);
  for (let begin = direct; begin < count; begin += WINDOW_VALUES) {
    const end = Math.min(begin + WINDOW_VALUES, count);
    const targetBegin = begin * targetBytes;
    const skew = (target.byteOffset + targetBegin + ALIAS_BYTES / 2) % ALIAS_BYTES;
    const values = source.subarray(begin * sourceBytes, end * sourceBytes);
    memory.bytes.set(values);
    // What fills the last turn is not to count as overflowed.
    memory.bytes.fill(0, values.length, values.length + KERNEL_VALUES * sourceBytes);
    let area = 0;
    for (const { kernel, valueBytes } of steps) {
      const next = area - (area % AREA_BYTES) + AREA_BYTES + skew;
      memory.kernels[kernel](area, area + (end - begin) * valueBytes, next);
      area = next;
    }
    target.set(memory.bytes.subarray(area, area + (end - begin) * targetBytes), targetBegin);
  }
}

/** The values at the front that need no copy: whole turns of the kernel, where both sides lie in its memory. */
function convertInPlace(
  memory: KernelMemory,
  source: Uint8Array,
  target: Uint8Array,
  [step, ...more]: readonly Step[],
  count: number,
): number {
  if (step === undefined || more.length > 0 || !memory.holds(source) || !memory.holds(target)) return 0;
  const whole = count - (count % KERNEL_VALUES);
  const begin = source.byteOffset;
  if (whole > 0) memory.kernels[step.kernel](begin, begin + whole * step.valueBytes, target.byteOffset);
  return whole;
}

function stepsBetween(from: Dtype, to: Dtype): readonly Step[] {
  if (from === 'F16' && to === 'BF16') return DIRECTLY;
  if (isFloatDtype(from) && isFloatDtype(to)) return [...TO_FLOAT32[from], ...FROM_FLOAT32[to]];
  throw new Blip2Error('CONVERSION_UNSUPPORTED', `There is no conversion from ${from} to ${to}.`, {
    hint: `Conversions exist between ${FLOAT_DTYPES.join(', ')}.`,
    details: { from, to },
  });
}
