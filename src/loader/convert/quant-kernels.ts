/**
 * float32 to blocks of small integers, four blocks a turn: the scale from the block's largest magnitude, rounded to
 * float16 first, then every value times 1 over that rounded scale (in float32), rounded to nearest, ties to even. Targets: the integers, the scales.
 *
 * int8 divides by 127, so that the largest value becomes 127 or -127. int4 has one more step below zero than above, so its
 * scale carries the sign of the largest value, which always becomes -8: as in llama.cpp's Q4_0 and ONNX Runtime's
 * symmetric blocks.
 */
import { QUANT_BLOCK_SIZE, type QuantScheme } from '../../tensor/quantized.js';
import { float16ToFloat32, float32ToFloat16 } from './float-kernels.js';
import * as w from './wasm-module.js';
import type { Kernel, Local, Store, Vector } from './wasm-module.js';

const FLOAT_ONE = 0x3f800000;
const FLOAT_127 = 0x42fe0000;
const FLOAT_MINUS_EIGHTH = 0xbe000000;
const FLOAT_INFINITY = 0x7f800000;
/** 1.5 * 2^23: added to a small number, its lowest bits are that number rounded to nearest, ties to even. */
const ROUNDER = 0x4b400000;

/** Blocks in a turn: the scales of four cost as much as that of one. */
const BLOCKS = 4;

interface Locals {
  readonly a: Local;
  readonly b: Local;
  readonly c: Local;
  readonly d: Local;
  /** 1 over the scales of the turn's blocks, or 0 for a scale of 0, which makes the values of its block 0. */
  readonly factors: Local;
  /** The one of the block at hand, in all lanes. */
  readonly factor: Local;
}

function named([a, b, c, d, factors, factor]: readonly Local[]): Locals {
  if (a && b && c && d && factors && factor) return { a, b, c, d, factors, factor };
  throw new RangeError('a kernel needs its locals');
}

type Maximum = (a: Vector, b: Vector) => Vector;

/** The larger ones of `low` and `high` lanes of two vectors. */
function foldLanes(
  [x, y]: readonly [Vector, Vector],
  [a, b]: readonly [Local, Local],
  low: readonly number[],
  high: readonly number[],
  maximum: Maximum,
): Vector {
  const larger = maximum(w.shuffle(a.get, b.get, low), w.shuffle(a.get, b.get, high));
  return w.after(a.set(x), w.after(b.set(y), larger));
}

/** The largest of each block, one lane per block. */
function largestOfBlocks(blocks: readonly (readonly Vector[])[], maximum: Maximum, { a, b, c, d }: Locals): Vector {
  const [first = [], second = [], third = [], fourth = []] = blocks.map((values) => values.reduce(maximum));
  const early = foldLanes([first, second], [a, b], [0, 4, 1, 5], [2, 6, 3, 7], maximum);
  const late = foldLanes([third, fourth], [a, b], [0, 4, 1, 5], [2, 6, 3, 7], maximum);
  return foldLanes([early, late], [c, d], [0, 1, 4, 5], [2, 3, 6, 7], maximum);
}

/** Stores float16 of the scales, and keeps 1 over them. */
function storeScales(scales: Vector, { a, b, factors }: Locals): Store {
  const rounded = float16ToFloat32(a.set(float32ToFloat16(scales, b)), b);
  const infiniteForZero = w.and(w.equal(w.and(a.get, w.splat(0x7fff)), w.splat(0)), w.splat(FLOAT_INFINITY));
  const inverse = w.divFloat(w.splat(FLOAT_ONE), w.or(rounded, infiniteForZero));
  return w.storeLowerHalf(1, 0, w.after(factors.set(inverse), w.narrow(a.get, a.get)));
}

/** Four values as integers. */
const integers = (value: Vector, { factor }: Locals): Vector =>
  w.subtract(w.addFloat(w.mulFloat(value, factor.get), w.splat(ROUNDER)), w.splat(ROUNDER));

/** 16 values as signed bytes. */
function signedBytes(values: readonly Vector[], locals: Locals): Vector {
  const [a = [], b = [], c = [], d = []] = values.map((value) => integers(value, locals));
  return w.narrowToBytes(w.narrowSigned(a, b), w.narrowSigned(c, d));
}

/** 32 values as 16 bytes: in each the first value low, the second high. */
function packedNibbles(values: readonly Vector[], locals: Locals): Vector {
  const pairs = (four: readonly Vector[]): Vector => {
    const shifted = w.addBytes(signedBytes(four, locals), w.splatByte(8));
    const codes = w.maximumBytes(w.minimumBytes(shifted, w.splatByte(15)), w.splatByte(0));
    const lowAndHigh = w.or(locals.a.set(codes), w.shiftRight16(locals.a.get, 4));
    return w.and(lowAndHigh, w.splat(0x00ff00ff));
  };
  return w.narrowToUnsignedBytes(pairs(values.slice(0, 4)), pairs(values.slice(4)));
}

/** A scheme's kernel: both schemes make 32 bytes of a block. */
function quantKernel(
  name: QuantScheme,
  scalesOf: (blocks: readonly (readonly Vector[])[], locals: Locals) => Vector,
  /** 16 bytes of half the values of a block. */
  bytesOf: (values: readonly Vector[], locals: Locals) => Vector,
): Kernel & { readonly name: QuantScheme } {
  const vectors = QUANT_BLOCK_SIZE[name] / 4;
  const blocks = Array.from({ length: BLOCKS }, (_, block) =>
    Array.from({ length: vectors }, (_value, i) => w.load(16 * (block * vectors + i))),
  );
  return {
    name,
    sourceStep: 4 * QUANT_BLOCK_SIZE[name] * BLOCKS,
    targetSteps: [32 * BLOCKS, 2 * BLOCKS],
    locals: 6,
    stores: (given) => {
      const locals = named(given);
      const { factor, factors } = locals;
      const values = blocks.flatMap((block, i) => {
        const own = w.shuffle(factors.get, factors.get, [i, i, i, i]);
        const first = w.after(factor.set(own), bytesOf(block.slice(0, vectors / 2), locals));
        return [w.store(0, 32 * i, first), w.store(0, 32 * i + 16, bytesOf(block.slice(vectors / 2), locals))];
      });
      return [storeScales(scalesOf(blocks, locals), locals), ...values];
    },
  };
}

/** Named after their schemes. A turn reads and writes four blocks, of which a caller may want fewer. */
export const QUANT_KERNELS: readonly (Kernel & { readonly name: QuantScheme })[] = [
  quantKernel(
    'int8',
    (blocks, locals) => {
      const magnitudes = blocks.map((values) => values.map((value) => w.and(value, w.splat(0x7fffffff))));
      return w.divFloat(largestOfBlocks(magnitudes, w.maximum, locals), w.splat(FLOAT_127));
    },
    (values, locals) => w.xor(signedBytes(values, locals), w.splatByte(128)),
  ),
  quantKernel(
    'int4',
    (blocks, locals) => {
      // The sign behind the magnitude: the largest such number is the value of largest magnitude, negative in a tie.
      const keys = blocks.map((values) => values.map((value) => w.or(w.shiftLeft(value, 1), w.shiftRight(value, 31))));
      const { a } = locals;
      const largest = w.or(w.shiftRight(a.get, 1), w.shiftLeft(a.get, 31));
      const value = w.after(a.set(largestOfBlocks(keys, w.maximumUnsigned, locals)), largest);
      // Plus zero, so that the scale of a block of zeros is not -0.
      return w.addFloat(w.mulFloat(value, w.splat(FLOAT_MINUS_EIGHTH)), w.splat(0));
    },
    packedNibbles,
  ),
];
