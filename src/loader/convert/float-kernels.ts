/**
 * float32 to and from float16 and bfloat16, eight values a turn: round to nearest, ties to even, with subnormals,
 * infinities and NaN as PyTorch's vectorised conversions have them on x86 (2.15, AVX2 with F16C). PyTorch agrees with
 * itself on every value but NaN, whose bits depend there on the processor and on the position in the tensor.
 */
import * as w from './wasm-module.js';
import type { Kernel, Local, Vector } from './wasm-module.js';

/** The one local of a kernel that has one. */
export function only(locals: readonly Local[]): Local {
  const [local] = locals;
  if (local === undefined) throw new RangeError('a kernel needs its local');
  return local;
}

/**
 * After `fp16_ieee_from_fp32_value` of Maratyszcza's FP16: scaling up and down makes everything above the largest float16
 * infinite; adding a power of two chosen by the exponent rounds the mantissa, also of subnormals.
 * @param bits any local, which has the value's bits afterwards
 * @returns float16 in the lower half of each lane
 */
export function float32ToFloat16(value: Vector, bits: Local): Vector {
  const magnitudeBits = w.and(bits.get, w.splat(0x7fffffff));
  const scaled = w.mulFloat(w.mulFloat(magnitudeBits, w.splat(0x77800000)), w.splat(0x08800000));
  const exponent = w.maximum(w.and(bits.get, w.splat(0x7f800000)), w.splat(0x38800000));
  const rounded = w.addFloat(w.add(exponent, w.splat(0x07800000)), scaled);
  const magnitude = w.add(w.and(w.shiftRight(rounded, 13), w.splat(0x7c00)), w.and(rounded, w.splat(0x0fff)));
  const nan = w.or(w.and(w.shiftRight(bits.get, 13), w.splat(0x03ff)), w.splat(0x7e00));
  const isNan = w.above(magnitudeBits, w.splat(0x7f800000));
  const sign = w.and(w.shiftRight(bits.get, 16), w.splat(0x8000));
  return w.after(bits.set(value), w.or(w.select(isNan, nan, magnitude), sign));
}

function float32ToBfloat16(value: Vector, bits: Local): Vector {
  const odd = w.and(w.shiftRight(bits.get, 16), w.splat(1));
  const rounded = w.shiftRight(w.add(w.add(bits.get, w.splat(0x7fff)), odd), 16);
  const isNan = w.above(w.and(bits.get, w.splat(0x7fffffff)), w.splat(0x7f800000));
  return w.after(bits.set(value), w.select(isNan, w.splat(0xffff), rounded));
}

/** A subnormal is 0.5 + m * 2^-24 less 0.5; any other number moves its exponent from bias 15 to bias 127. */
export function float16ToFloat32(value: Vector, bits: Local): Vector {
  const magnitude = w.and(bits.get, w.splat(0x7fff));
  const subnormal = w.subFloat(w.or(magnitude, w.splat(0x3f000000)), w.splat(0x3f000000));
  const special = w.and(w.above(magnitude, w.splat(0x7bff)), w.splat(0x7f800000));
  const quiet = w.and(w.above(magnitude, w.splat(0x7c00)), w.splat(0x00400000));
  const normal = w.or(w.or(w.add(w.shiftLeft(magnitude, 13), w.splat(0x38000000)), special), quiet);
  const sign = w.shiftLeft(w.and(bits.get, w.splat(0x8000)), 16);
  const converted = w.select(w.below(magnitude, w.splat(0x0400)), subnormal, normal);
  return w.after(bits.set(value), w.or(converted, sign));
}

/** The locals of a kernel, all of which it has. */
function taken(locals: readonly Local[], count: number): (index: number) => Local {
  if (locals.length < count) throw new RangeError(`a kernel needs ${count} locals`);
  return (index) => locals[index] ?? only(locals);
}

const narrowing = (name: string, convert: (value: Vector, bits: Local) => Vector): Kernel => ({
  name,
  sourceStep: 32,
  targetSteps: [16],
  locals: 1,
  stores: (locals) => [w.store(0, 0, w.narrow(convert(w.load(0), only(locals)), convert(w.load(16), only(locals))))],
});

/**
 * float16 without its sign, of numbers and infinities. A power of two that is chosen by the exponent is added, which
 * rounds the mantissa, also of subnormals; everything above the largest float16 is 2^16 first, which becomes infinite.
 */
function roundedMagnitude(value: Vector, bits: Local, sum: Local, largest: Local): Vector {
  const magnitude = w.and(bits.get, w.splat(0x7fffffff));
  const clamped = w.minimum(magnitude, w.splat(0x47800000));
  const exponent = w.maximum(w.and(clamped, w.splat(0x7f800000)), w.splat(0x38800000));
  const rounded = w.addFloat(w.add(exponent, w.splat(0x06800000)), clamped);
  const float16 = w.add(w.shiftRight(sum.get, 13), w.and(sum.get, w.splat(0x0fff)));
  return w.after(
    bits.set(value),
    w.after(
      largest.set(w.maximum(largest.get, magnitude)),
      w.after(sum.set(w.subtract(rounded, w.splat(0x3f000000))), float16),
    ),
  );
}

/** float32 of a float16 that is a number, widened with its sign. */
function widenedNumber(value: Vector, bits: Local, largest: Local): Vector {
  const magnitude = w.and(bits.get, w.splat(0x7fff));
  const subnormal = w.subFloat(w.or(magnitude, w.splat(0x3f000000)), w.splat(0x3f000000));
  const normal = w.add(w.shiftLeft(magnitude, 13), w.splat(0x38000000));
  const converted = w.select(w.below(magnitude, w.splat(0x0400)), subnormal, normal);
  const signed = w.or(converted, w.and(bits.get, w.splat(0x80000000)));
  return w.after(bits.set(value), w.after(largest.set(w.maximum(largest.get, magnitude)), signed));
}

/** The kernels for every value. */
export const FLOAT_KERNELS: readonly Kernel[] = [
  narrowing('F32-F16', float32ToFloat16),
  narrowing('F32-BF16', float32ToBfloat16),
  {
    name: 'F16-F32',
    sourceStep: 16,
    targetSteps: [32],
    locals: 1,
    stores: (locals) => [
      w.store(0, 0, float16ToFloat32(w.loadU16(0), only(locals))),
      w.store(0, 16, float16ToFloat32(w.loadU16(8), only(locals))),
    ],
  },
  {
    name: 'BF16-F32',
    sourceStep: 16,
    targetSteps: [32],
    locals: 0,
    stores: () => [w.store(0, 0, w.shiftLeft(w.loadU16(0), 16)), w.store(0, 16, w.shiftLeft(w.loadU16(8), 16))],
  },
];

/** A kernel that is faster and right only where no magnitude is larger than `limit`. */
export interface CheckedKernel extends Kernel {
  readonly limit: number;
}

/**
 * The same conversions for what weights are, a third faster. They leave NaN out, `F16-F32` infinities too, and say so:
 * their second target gets four 32-bit integers, the largest of which is the largest magnitude met, as bits of the
 * source's dtype. Named after the kernels that do all values.
 */
export const CHECKED_FLOAT_KERNELS: readonly CheckedKernel[] = [
  {
    name: 'F32-F16',
    sourceStep: 32,
    targetSteps: [16, 0],
    locals: 4,
    limit: 0x7f800000,
    stores: (locals) => {
      const at = taken(locals, 4);
      const [low, high, sum, largest] = [at(0), at(1), at(2), at(3)];
      const magnitudes = w.narrow(
        roundedMagnitude(w.load(0), low, sum, largest),
        roundedMagnitude(w.load(16), high, sum, largest),
      );
      const upperHalves = w.narrowSigned(w.shiftRightSigned(low.get, 16), w.shiftRightSigned(high.get, 16));
      return [w.store(0, 0, w.or(magnitudes, w.and(upperHalves, w.splat(0x80008000)))), w.store(1, 0, largest.get)];
    },
  },
  {
    name: 'F16-F32',
    sourceStep: 16,
    targetSteps: [32, 0],
    locals: 2,
    limit: 0x7bff,
    stores: (locals) => {
      const at = taken(locals, 2);
      const [bits, largest] = [at(0), at(1)];
      return [
        w.store(0, 0, widenedNumber(w.loadI16(0), bits, largest)),
        w.store(0, 16, widenedNumber(w.loadI16(8), bits, largest)),
        w.store(1, 0, largest.get),
      ];
    },
  },
];
