/**
 * float32 to blocks of small integers, in AssemblyScript. The scale comes from the block's value of largest magnitude, and is
 * rounded to float16 before every value is multiplied by 1 over it, in float32, and rounded to nearest, ties to even.
 *
 * int8 divides the largest magnitude by 127, so that its value becomes 127 or -127. int4 has one more step below zero than
 * above, so its scale carries the sign of that value, which always becomes -8: as in llama.cpp's Q4_0 and ONNX Runtime's
 * symmetric blocks.
 *
 * Addresses are in bytes. A kernel returns the first block whose scale is not finite, where it stops, or else `blocks`.
 * `scripts/build-kernels.mjs` makes `quant-kernels.wasm.ts` of this file.
 */
import { magnitudes, toFloats, toHalves } from './float-lanes.as';

const VECTOR_BYTES: usize = 16;
/** What both schemes make of a block, and bytes of its scale. */
const INTEGERS_BYTES: usize = 32;
const SCALE_BYTES: usize = 2;
/** 1.5 * 2^23: added to a small number, its lowest bits are that number rounded to nearest, ties to even. */
const ROUNDER: f32 = 12582912;

/** Blocks of 32, from -127 to 127, stored with 128 added. */
export function quantizeInt8(source: usize, blocks: i32, integers: usize, scales: usize): i32 {
  for (let block = 0; block < blocks; block++) {
    let largest = i32x4.splat(0);
    const end = source + 32 * sizeof<f32>();
    for (let at = source; at < end; at += VECTOR_BYTES) largest = i32x4.max_u(largest, magnitudes(v128.load(at)));
    const scale = toHalves(f32x4.div(largestLane(largest), f32x4.splat(127)));
    if (!isFinite16(scale)) return block;
    v128.store16_lane(scales, scale, 0);
    const factor = reciprocal(scale);
    v128.store(integers, v128.xor(signedBytes(source, factor), i8x16.splat(-128)));
    v128.store(integers, v128.xor(signedBytes(source + 64, factor), i8x16.splat(-128)), VECTOR_BYTES);
    source = end;
    integers += INTEGERS_BYTES;
    scales += SCALE_BYTES;
  }
  return blocks;
}

/** Blocks of 64, from -8 to 7, stored with 8 added: of two in a byte the first is the low one. */
export function quantizeInt4(source: usize, blocks: i32, integers: usize, scales: usize): i32 {
  for (let block = 0; block < blocks; block++) {
    // The sign behind the magnitude: the largest such number is the value of largest magnitude, negative in a tie.
    let largest = i32x4.splat(0);
    const end = source + 64 * sizeof<f32>();
    for (let at = source; at < end; at += VECTOR_BYTES) largest = i32x4.max_u(largest, rotatedLeft(v128.load(at), 1));
    const value = rotatedLeft(largestLane(largest), 31);
    // Plus zero, so that the scale of a block of zeros is not -0.
    const scale = toHalves(f32x4.add(f32x4.mul(value, f32x4.splat(-0.125)), f32x4.splat(0)));
    if (!isFinite16(scale)) return block;
    v128.store16_lane(scales, scale, 0);
    const factor = reciprocal(scale);
    for (let at = source; at < end; at += 8 * VECTOR_BYTES, integers += VECTOR_BYTES) {
      const low = nibblePairs(at, factor);
      v128.store(integers, i8x16.narrow_i16x8_u(low, nibblePairs(at + 4 * VECTOR_BYTES, factor)));
    }
    source = end;
    scales += SCALE_BYTES;
  }
  return blocks;
}

function rotatedLeft(lanes: v128, bits: i32): v128 {
  return v128.or(i32x4.shl(lanes, bits), i32x4.shr_u(lanes, 32 - bits));
}

/** The largest lane, in all lanes. */
function largestLane(lanes: v128): v128 {
  const pairs = i32x4.max_u(lanes, v128.shuffle<i32>(lanes, lanes, 2, 3, 0, 1));
  return i32x4.max_u(pairs, v128.shuffle<i32>(pairs, pairs, 1, 0, 3, 2));
}

function isFinite16(half: v128): bool {
  return (i32x4.extract_lane(half, 0) & 0x7c00) != 0x7c00;
}

/** 1 over a scale, or 0 for a scale of 0, which makes the values of its block 0. */
function reciprocal(scale: v128): v128 {
  const isZero = i32x4.eq(v128.and(scale, i32x4.splat(0x7fff)), i32x4.splat(0));
  return v128.andnot(f32x4.div(f32x4.splat(1), toFloats(scale)), isZero);
}

/** 16 values as signed bytes. */
function signedBytes(at: usize, factor: v128): v128 {
  return i8x16.narrow_i16x8_s(
    i16x8.narrow_i32x4_s(rounded(v128.load(at), factor), rounded(v128.load(at, 16), factor)),
    i16x8.narrow_i32x4_s(rounded(v128.load(at, 32), factor), rounded(v128.load(at, 48), factor)),
  );
}

function rounded(values: v128, factor: v128): v128 {
  return i32x4.sub(f32x4.add(f32x4.mul(values, factor), f32x4.splat(ROUNDER)), f32x4.splat(ROUNDER));
}

/** 16 values as 8 bytes, each in 16 bits: the first value low, the second high. */
function nibblePairs(at: usize, factor: v128): v128 {
  const shifted = i8x16.add_sat_s(signedBytes(at, factor), i8x16.splat(8));
  const codes = i8x16.max_s(i8x16.min_s(shifted, i8x16.splat(15)), i8x16.splat(0));
  return v128.and(v128.or(codes, i16x8.shr_u(codes, 4)), i16x8.splat(0xff));
}
