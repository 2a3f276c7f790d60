/**
 * Conversion between the dtypes that weights are stored in, through WebAssembly: the bytes pass a small window of its
 * memory, which stays in the processor's cache, so a conversion costs little more than copying the same bytes.
 */
import { DTYPE_BITS, type Dtype } from '../../tensor/dtype.js';
import { Blip2Error } from '../../errors.js';
import { FLOAT_KERNELS } from './float-kernels.js';
import { assemble, type KernelFunction } from './wasm-module.js';

export const FLOAT_DTYPES = ['F32', 'F16', 'BF16'] as const;

export type FloatDtype = (typeof FLOAT_DTYPES)[number];

export function isFloatDtype(dtype: Dtype): dtype is FloatDtype {
  return (FLOAT_DTYPES as readonly Dtype[]).includes(dtype);
}

/** Values that pass at a time: three areas of 64 KiB stay within the smallest second-level caches, of 256 KiB. */
const WINDOW_VALUES = 16 * 1024;
/** Addresses whose last 12 bits are equal slow a copy between them down to a quarter (x86 takes them for the same). */
const ALIAS_BYTES = 4096;
const AREA_BYTES = 4 * WINDOW_VALUES + ALIAS_BYTES;
const MEMORY_PAGES = Math.ceil((3 * AREA_BYTES) / 65_536);

interface Engine {
  readonly memory: Uint8Array;
  readonly kernels: ReadonlyMap<string, KernelFunction>;
}

let shared: Engine | undefined;

function engine(): Engine {
  if (shared !== undefined) return shared;
  const memory = new WebAssembly.Memory({ initial: MEMORY_PAGES });
  shared = { memory: new Uint8Array(memory.buffer), kernels: assemble(FLOAT_KERNELS, memory) };
  return shared;
}

/**
 * Converts all values of `source` into `target`. Both are little-endian and need no alignment; they may not overlap.
 * Rounds to nearest, ties to even. Between float16 and bfloat16 it passes through float32, as PyTorch does.
 * @throws Blip2Error `ConversionUnsupported` for any other pair of dtypes.
 */
export function convertFloats(source: Uint8Array, from: Dtype, target: Uint8Array, to: Dtype): void {
  const count = (source.length * 8) / DTYPE_BITS[from];
  if (target.length !== (count * DTYPE_BITS[to]) / 8) {
    throw new RangeError(`${count} values do not go from ${source.length} into ${target.length} bytes`);
  }
  if (from === to) return target.set(source);
  const { memory } = engine();
  const steps = conversionSteps(from, to);
  const sourceBytes = DTYPE_BITS[from] / 8;
  const targetBytes = DTYPE_BITS[to] / 8;
  for (let begin = 0; begin < count; begin += WINDOW_VALUES) {
    const end = Math.min(begin + WINDOW_VALUES, count);
    const targetBegin = begin * targetBytes;
    const skew = (target.byteOffset + targetBegin + ALIAS_BYTES / 2) % ALIAS_BYTES;
    memory.set(source.subarray(begin * sourceBytes, end * sourceBytes));
    let area = 0;
    for (const { run, valueBytes } of steps) {
      const next = area - (area % AREA_BYTES) + AREA_BYTES + skew;
      run(area, next, area + (end - begin) * valueBytes);
      area = next;
    }
    target.set(memory.subarray(area, area + (end - begin) * targetBytes), targetBegin);
  }
}

interface Step {
  readonly run: KernelFunction;
  /** Bytes of a value before this step. */
  readonly valueBytes: number;
}

function conversionSteps(from: Dtype, to: Dtype): Step[] {
  const direct = engine().kernels.get(`${from}-${to}`);
  if (direct !== undefined) return [{ run: direct, valueBytes: DTYPE_BITS[from] / 8 }];
  if (isFloatDtype(from) && isFloatDtype(to)) return [...conversionSteps(from, 'F32'), ...conversionSteps('F32', to)];
  throw new Blip2Error('ConversionUnsupported', `There is no conversion from ${from} to ${to}.`, {
    hint: `Conversions exist between ${FLOAT_DTYPES.join(', ')}.`,
    details: { from, to },
  });
}
