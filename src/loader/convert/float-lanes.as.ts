/**
 * float32 and float16 in vectors of four 32-bit lanes; a float16 is widened to a lane as a signed integer is. To nearest, ties
 * to even, with subnormals, infinities and NaN as PyTorch's vectorised conversions have them on x86 (2.15, AVX2 with F16C).
 * PyTorch agrees with itself on every value but NaN, whose bits depend there on the processor and on the position in the tensor.
 */

export const FLOAT32_INFINITY: i32 = 0x7f800000;

/** The bits of float32 without their signs. */
export function magnitudes(floats: v128): v128 {
  return v128.and(floats, i32x4.splat(0x7fffffff));
}

/** The signs of float32, where a float16 has them. */
export function halfSigns(floats: v128): v128 {
  return v128.and(i32x4.shr_s(floats, 16), i32x4.splat(-0x8000));
}

/**
 * float16 of float32 up to 2^16 without signs: a power of two that is chosen by the exponent is added, so that the sum's last
 * bit is worth what a float16's is. That rounds, also where the float16 is subnormal.
 */
export function halfMagnitudes(magnitude: v128): v128 {
  const exponent = i32x4.max_s(v128.and(magnitude, i32x4.splat(0x7f800000)), i32x4.splat(0x38800000));
  const sum = i32x4.sub(f32x4.add(i32x4.add(exponent, i32x4.splat(0x06800000)), magnitude), i32x4.splat(0x3f000000));
  return i32x4.add(i32x4.shr_u(sum, 13), v128.and(sum, i32x4.splat(0x0fff)));
}

/** float16 of any float32; what is too large becomes infinite. A NaN keeps the upper bits of its payload, and is quiet. */
export function toHalves(floats: v128): v128 {
  const magnitude = magnitudes(floats);
  const number = halfMagnitudes(i32x4.min_s(magnitude, i32x4.splat(0x47800000)));
  const nan = v128.or(v128.and(i32x4.shr_u(floats, 13), i32x4.splat(0x03ff)), i32x4.splat(0x7e00));
  const isNan = i32x4.gt_s(magnitude, i32x4.splat(FLOAT32_INFINITY));
  return v128.or(v128.bitselect(nan, number, isNan), halfSigns(floats));
}

/** float32 of float16 that are numbers: a subnormal is 0.5 + m * 2^-24 less 0.5, any other moves its exponent's bias. */
export function numbersToFloats(halves: v128): v128 {
  const magnitude = v128.and(halves, i32x4.splat(0x7fff));
  const subnormal = f32x4.sub(v128.or(magnitude, i32x4.splat(0x3f000000)), f32x4.splat(0.5));
  const normal = i32x4.add(i32x4.shl(magnitude, 13), i32x4.splat(0x38000000));
  const number = v128.bitselect(subnormal, normal, i32x4.lt_s(magnitude, i32x4.splat(0x0400)));
  return v128.or(number, v128.and(halves, i32x4.splat(0x80000000)));
}

/** float32 of any float16. A NaN keeps its payload, and is quiet. */
export function toFloats(halves: v128): v128 {
  const magnitude = v128.and(halves, i32x4.splat(0x7fff));
  const special = v128.and(i32x4.gt_s(magnitude, i32x4.splat(0x7bff)), i32x4.splat(FLOAT32_INFINITY));
  const quiet = v128.and(i32x4.gt_s(magnitude, i32x4.splat(0x7c00)), i32x4.splat(0x00400000));
  return v128.or(numbersToFloats(halves), v128.or(special, quiet));
}
