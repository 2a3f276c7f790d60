/**
 * Conversion between the dtypes that weights are stored in, through WebAssembly: the bytes pass a small window of its
 * memory, which stays in the processor's cache, so a conversion costs little more than copying the same bytes.
 */
import { DTYPE_BITS, type Dtype } from '../../tensor/dtype.js';
import { Blip2Error } from '../../errors.js';
import { ALIAS_BYTES, AREA_BYTES, KernelMemory, WINDOW_VALUES } from './kernel-memory.js';

/** The floats that are converted into each other, by safetensors' names. */
export const FLOAT_DTYPES = ['F32', 'F16', 'BF16'] as const;

/** A dtype of `FLOAT_DTYPES`. */
export type FloatDtype = (typeof FLOAT_DTYPES)[number];

/** Whether `convertFloats` takes it. */
export function isFloatDtype(dtype: Dtype): dtype is FloatDtype {
  return (FLOAT_DTYPES as readonly Dtype[]).includes(dtype);
}

/** Values that a kernel converts at a time. */
const KERNEL_VALUES = 8;
/** Values that are converted again at most where one is not a number. */
const RUN_VALUES = 1024 * 1024;

/** What lies in the room of its memory is converted without being copied in and out. */
export class FloatConverter {
  readonly memory: KernelMemory;

  constructor(memory: KernelMemory) {
    this.memory = memory;
  }

  /** See `convertFloats`. */
  convert(source: Uint8Array, from: Dtype, target: Uint8Array, to: Dtype): void {
    const sourceBytes = DTYPE_BITS[from] / 8;
    const targetBytes = DTYPE_BITS[to] / 8;
    const count = source.length / sourceBytes;
    if (target.length !== count * targetBytes) {
      throw new RangeError(`${count} values do not go from ${source.length} into ${target.length} bytes`);
    }
    if (from === to) return target.set(source);
    const steps = this.#steps(from, to);
    const { bytes } = this.memory;
    const direct = this.#convertInPlace(source, target, steps, count);
    for (let begin = direct; begin < count; begin += WINDOW_VALUES) {
      const end = Math.min(begin + WINDOW_VALUES, count);
      const targetBegin = begin * targetBytes;
      const skew = (target.byteOffset + targetBegin + ALIAS_BYTES / 2) % ALIAS_BYTES;
      bytes.set(source.subarray(begin * sourceBytes, end * sourceBytes));
      let area = 0;
      for (const { kernel, valueBytes } of steps) {
        const next = area - (area % AREA_BYTES) + AREA_BYTES + skew;
        this.memory.convert(kernel, area, area + (end - begin) * valueBytes, next);
        area = next;
      }
      target.set(bytes.subarray(area, area + (end - begin) * targetBytes), targetBegin);
    }
  }

  /** The values at the front that need no copy: whole turns of the kernel, where both sides lie in this memory. */
  #convertInPlace(source: Uint8Array, target: Uint8Array, steps: readonly Step[], count: number): number {
    const [step, ...more] = steps;
    if (step === undefined || more.length > 0 || !this.memory.holds(source) || !this.memory.holds(target)) return 0;
    const whole = count - (count % KERNEL_VALUES);
    const targetBytes = target.length / count;
    for (let begin = 0; begin < whole; begin += RUN_VALUES) {
      const end = Math.min(whole, begin + RUN_VALUES);
      const first = source.byteOffset + begin * step.valueBytes;
      this.memory.convert(
        step.kernel,
        first,
        first + (end - begin) * step.valueBytes,
        target.byteOffset + begin * targetBytes,
      );
    }
    return whole;
  }

  #steps(from: Dtype, to: Dtype): Step[] {
    const kernel = `${from}-${to}`;
    if (this.memory.has(kernel)) return [{ kernel, valueBytes: DTYPE_BITS[from] / 8 }];
    if (isFloatDtype(from) && isFloatDtype(to)) return [...this.#steps(from, 'F32'), ...this.#steps('F32', to)];
    throw new Blip2Error('CONVERSION_UNSUPPORTED', `There is no conversion from ${from} to ${to}.`, {
      hint: `Conversions exist between ${FLOAT_DTYPES.join(', ')}.`,
      details: { from, to },
    });
  }
}

let shared: FloatConverter | undefined;

/**
 * Converts all values of `source` into `target`. Both are little-endian and need no alignment; they may not overlap.
 * Rounds to nearest, ties to even. Between float16 and bfloat16 it passes through float32, as PyTorch does.
 * @throws Blip2Error `CONVERSION_UNSUPPORTED` for any other pair of dtypes.
 */
export function convertFloats(source: Uint8Array, from: Dtype, target: Uint8Array, to: Dtype): void {
  shared ??= new FloatConverter(new KernelMemory());
  shared.convert(source, from, target, to);
}

interface Step {
  readonly kernel: string;
  /** Bytes of a value before this step. */
  readonly valueBytes: number;
}
