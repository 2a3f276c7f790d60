/**
 * Conversions between float32, float16 and bfloat16, in AssemblyScript: eight values a turn, from address `source` until `end`,
 * one turn at least. Addresses are in bytes and need no alignment. Weights are hardly ever infinite, NaN or too large for a
 * float16, so that turns without such values are spared what only those need. Loops test at their end: tests at the begin
 * cost a fifth. `scripts/build-kernels.mjs` makes `float-kernels.wasm.ts` of this file.
 */
import {
  FLOAT32_INFINITY,
  halfMagnitudes,
  halfSigns,
  magnitudes,
  numbersToFloats,
  toFloats,
  toHalves,
} from './float-lanes.as';

/** The least float32 that rounds to more than the largest float16. */
const FLOAT16_OVERFLOW: i32 = 0x477ff000;
/** The least that rounds to more than the largest bfloat16. */
const BFLOAT16_OVERFLOW: i32 = 0x7f7f8000;

/** Finite values that have been made infinite so far. */
export let overflowed: i32 = 0;

export function float32ToFloat16(source: usize, end: usize, target: usize): void {
  do {
    const low = v128.load(source);
    const high = v128.load(source, 16);
    const lowMagnitudes = magnitudes(low);
    const highMagnitudes = magnitudes(high);
    const largest = i32x4.max_s(lowMagnitudes, highMagnitudes);
    if (v128.any_true(i32x4.ge_s(largest, i32x4.splat(FLOAT16_OVERFLOW)))) {
      overflowed += overflows(lowMagnitudes, FLOAT16_OVERFLOW) + overflows(highMagnitudes, FLOAT16_OVERFLOW);
      v128.store(target, i16x8.narrow_i32x4_s(toHalves(low), toHalves(high)));
    } else {
      const halves = i16x8.narrow_i32x4_u(halfMagnitudes(lowMagnitudes), halfMagnitudes(highMagnitudes));
      v128.store(target, v128.or(halves, i16x8.narrow_i32x4_s(halfSigns(low), halfSigns(high))));
    }
    source += 32;
    target += 16;
  } while (source < end);
}

function overflows(magnitude: v128, least: i32): i32 {
  const above = i32x4.ge_s(magnitude, i32x4.splat(least));
  return popcnt(i32x4.bitmask(v128.and(above, i32x4.lt_s(magnitude, i32x4.splat(FLOAT32_INFINITY)))));
}

export function float16ToFloat32(source: usize, end: usize, target: usize): void {
  do {
    const first = v128.load_ext<i16>(source);
    const second = v128.load_ext<i16>(source, 8);
    const magnitude = v128.and(v128.load(source), i16x8.splat(0x7fff));
    if (v128.any_true(i16x8.gt_s(magnitude, i16x8.splat(0x7bff)))) {
      v128.store(target, toFloats(first));
      v128.store(target, toFloats(second), 16);
    } else {
      v128.store(target, numbersToFloats(first));
      v128.store(target, numbersToFloats(second), 16);
    }
    source += 16;
    target += 32;
  } while (source < end);
}

/** Every NaN becomes the one of all bits set. */
export function float32ToBfloat16(source: usize, end: usize, target: usize): void {
  do {
    const low = v128.load(source);
    const high = v128.load(source, 16);
    const lowMagnitudes = magnitudes(low);
    const highMagnitudes = magnitudes(high);
    if (v128.any_true(i32x4.ge_s(i32x4.max_s(lowMagnitudes, highMagnitudes), i32x4.splat(BFLOAT16_OVERFLOW))))
      overflowed += overflows(lowMagnitudes, BFLOAT16_OVERFLOW) + overflows(highMagnitudes, BFLOAT16_OVERFLOW);
    v128.store(target, i16x8.narrow_i32x4_u(toBfloats(low, 0xffff), toBfloats(high, 0xffff)));
    source += 32;
    target += 16;
  } while (source < end);
}

/** Every NaN becomes the quiet one without a sign or payload, as PyTorch has it between these two. */
export function float16ToBfloat16(source: usize, end: usize, target: usize): void {
  do {
    const first = toBfloats(toFloats(v128.load_ext<i16>(source)), 0x7fc0);
    const second = toBfloats(toFloats(v128.load_ext<i16>(source, 8)), 0x7fc0);
    v128.store(target, i16x8.narrow_i32x4_u(first, second));
    source += 16;
    target += 16;
  } while (source < end);
}

function toBfloats(floats: v128, nan: i32): v128 {
  const odd = v128.and(i32x4.shr_u(floats, 16), i32x4.splat(1));
  const rounded = i32x4.shr_u(i32x4.add(i32x4.add(floats, i32x4.splat(0x7fff)), odd), 16);
  const isNan = i32x4.gt_s(magnitudes(floats), i32x4.splat(FLOAT32_INFINITY));
  return v128.bitselect(i32x4.splat(nan), rounded, isNan);
}

export function bfloat16ToFloat32(source: usize, end: usize, target: usize): void {
  do {
    v128.store(target, i32x4.shl(v128.load_ext<u16>(source), 16));
    v128.store(target, i32x4.shl(v128.load_ext<u16>(source, 8), 16), 16);
    source += 16;
    target += 32;
  } while (source < end);
}
