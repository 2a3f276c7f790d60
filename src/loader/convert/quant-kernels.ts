/**
 * float32 to blocks of small integers, one block a turn: the scale from the block's largest magnitude, rounded to
 * float16 first, then every value times 1 over that rounded scale (in float32), rounded to nearest, ties to even. Targets: the integers, the scales.
 *
 * int8 divides by 127, so that the largest value becomes 127 or -127. int4 has one more step below zero than above, so its
 * scale carries the sign of the largest value, which always becomes -8: as in llama.cpp's Q4_0 and ONNX Runtime's
 * symmetric blocks.
 */
import { QUANT_BLOCK_SIZE, type QuantScheme } from '../../tensor/quantized.js';
import { float16ToFloat32, float32ToFloat16 } from './float-kernels.js';
import * as w from './wasm-module.js';
import type { Kernel, Local, Vector } from './wasm-module.js';

const FLOAT_ONE = 0x3f800000;
const FLOAT_127 = 0x42fe0000;
const FLOAT_MINUS_EIGHTH = 0xbe000000;
const FLOAT_INFINITY = 0x7f800000;
/** 1.5 * 2^23: added to a small number, its lowest bits are that number rounded to nearest, ties to even. */
const ROUNDER = 0x4b400000;

/** The two locals of a quantising kernel. */
function both(locals: readonly Local[]): readonly [Local, Local] {
  const [first, second] = locals;
  if (first === undefined || second === undefined) throw new RangeError('a kernel needs its locals');
  return [first, second];
}

const loads = (count: number): Vector[] => Array.from({ length: count }, (_, i) => w.load(16 * i));

/** The largest of all lanes of all vectors, in every lane. */
function largest(values: readonly Vector[], maximum: (a: Vector, b: Vector) => Vector, local: Local): Vector {
  const lanes = values.reduce(maximum);
  const pairs = maximum(w.swapLanes(lanes, local, 2), local.get);
  return maximum(w.swapLanes(pairs, local, 1), local.get);
}

/** float16 of a block's scale; `factor` has 1 over it afterwards, and 0 for a scale of 0, which makes its values 0. */
function roundedScale(scale: Vector, factor: Local, half: Local): Vector {
  const rounded = float16ToFloat32(half.set(float32ToFloat16(scale, factor)), factor);
  const infiniteForZero = w.and(w.equal(w.and(half.get, w.splat(0x7fff)), w.splat(0)), w.splat(FLOAT_INFINITY));
  return w.after(factor.set(w.divFloat(w.splat(FLOAT_ONE), w.or(rounded, infiniteForZero))), half.get);
}

/** Four values as integers. */
const integers = (value: Vector, factor: Local): Vector =>
  w.subtract(w.addFloat(w.mulFloat(value, factor.get), w.splat(ROUNDER)), w.splat(ROUNDER));

/** 16 values as signed bytes. */
function signedBytes(values: readonly Vector[], factor: Local): Vector {
  const [a = [], b = [], c = [], d = []] = values.map((value) => integers(value, factor));
  return w.narrowToBytes(w.narrowSigned(a, b), w.narrowSigned(c, d));
}

/** 32 values as 16 bytes: in each the first value low, the second high. */
function packedNibbles(values: readonly Vector[], factor: Local, local: Local): Vector {
  const pairs = (four: readonly Vector[]): Vector => {
    const shifted = w.addBytes(signedBytes(four, factor), w.splatByte(8));
    const codes = w.maximumBytes(w.minimumBytes(shifted, w.splatByte(15)), w.splatByte(0));
    const lowAndHigh = w.or(local.set(codes), w.shiftRight16(local.get, 4));
    return w.and(lowAndHigh, w.splat(0x00ff00ff));
  };
  return w.narrowToUnsignedBytes(pairs(values.slice(0, 4)), pairs(values.slice(4)));
}

/** Named after their schemes. */
export const QUANT_KERNELS: readonly (Kernel & { readonly name: QuantScheme })[] = [
  {
    name: 'int8',
    sourceStep: 4 * QUANT_BLOCK_SIZE.int8,
    targetSteps: [QUANT_BLOCK_SIZE.int8, 2],
    locals: 2,
    stores: (locals) => {
      const [factor, other] = both(locals);
      const values = loads(QUANT_BLOCK_SIZE.int8 / 4);
      const magnitudes = values.map((value) => w.and(value, w.splat(0x7fffffff)));
      const scale = w.divFloat(largest(magnitudes, w.maximum, factor), w.splat(FLOAT_127));
      const bytes = (first: number) => w.xor(signedBytes(values.slice(first, first + 4), factor), w.splatByte(128));
      return [w.storeU16(1, 0, roundedScale(scale, factor, other)), w.store(0, 0, bytes(0)), w.store(0, 16, bytes(4))];
    },
  },
  {
    name: 'int4',
    sourceStep: 4 * QUANT_BLOCK_SIZE.int4,
    targetSteps: [QUANT_BLOCK_SIZE.int4 / 2, 2],
    locals: 2,
    stores: (locals) => {
      const [factor, other] = both(locals);
      const values = loads(QUANT_BLOCK_SIZE.int4 / 4);
      // The sign behind the magnitude: the largest such number is the value of largest magnitude, negative in a tie.
      const keys = values.map((value) => w.or(w.shiftLeft(value, 1), w.shiftRight(value, 31)));
      const key = largest(keys, w.maximumUnsigned, factor);
      const value = w.after(factor.set(key), w.or(w.shiftRight(factor.get, 1), w.shiftLeft(factor.get, 31)));
      // Plus zero, so that the scale of a block of zeros is not -0.
      const scale = w.addFloat(w.mulFloat(value, w.splat(FLOAT_MINUS_EIGHTH)), w.splat(0));
      const bytes = (first: number) => packedNibbles(values.slice(first, first + 8), factor, other);
      return [w.storeU16(1, 0, roundedScale(scale, factor, other)), w.store(0, 0, bytes(0)), w.store(0, 16, bytes(8))];
    },
  },
];
