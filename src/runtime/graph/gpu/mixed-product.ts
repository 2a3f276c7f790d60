/**
 * Float16 weights times float32 activations, for a provider that adds up a product in the product's own dtype. The inner
 * dimension is cut into chunks: each is multiplied and added up in float16, and the chunks' sums are added up in float32,
 * a group of them in one pass that rounds to float16 once. So the error stays that of a product that adds up in float32, and
 * a single row has as many independent sums as there are chunks, which keeps the device busy.
 */
import type { Value } from '../../onnx/graph-builder.js';
import type { Module } from '../module.js';
import { castTo } from './casts.js';
import type { FloatWeight } from './float-weight.js';

/**
 * Products added up in float16. Measured on an H200, 2560 to 10240 inputs: relative error 0.9e-3 in chunks of 64, 1.2e-3 of
 * 128, 5e-3 to 11e-3 uncut; a single row takes 0.08 ms instead of 0.85 ms with 10240 inputs and 2560 outputs.
 */
const CHUNK = 64;
/** Kernels read this many elements at once. */
const VECTOR = 4;

/**
 * What the provider adds up in one pass, in float32 whatever the dtype. More are first turned round in memory, and added up
 * in their own dtype; so are sums of which there are few.
 */
const SUMMANDS = 31;
const SUMS = 1024;

/**
 * @param x float32 `[batch, tokens, columns]`
 * @param shape of the result, where the tokens of all rows are to be one matrix
 */
export function mixedProduct(
  module: Module,
  x: Value,
  { name, tensors, rows, columns }: FloatWeight,
  shape?: Value,
): Value {
  const { stage, graph } = module;
  const chunk = chunkOf(columns);
  const cut = cutSums(columns / chunk, rows);
  const half = castTo(module, x, 'F16');
  const lead = shape === undefined ? [0, 0] : [1, -1];
  const pieces = module.node('Reshape', [half, graph.int64s([...lead, ...cut, chunk])]);
  const axes = cut.map((_, axis) => axis + 2);
  const turned = module.node('Transpose', [pieces], { perm: { ints: [...axes, 0, 1, axes.length + 2] } });
  const weight = stage.joinedWeight(name, tensors, [...cut, 1, chunk, rows], true);
  const products = module.node('MatMul', [turned, weight]);
  const sums = canSum(cut, rows) ? sum(module, products, cut.length - 1) : products;
  const wide = castTo(module, sums, 'F32');
  const made = canSum(cut, rows) && cut.length === 1 ? wide : sum(module, wide, 0);
  return shape === undefined ? made : module.node('Reshape', [made, shape]);
}

const sum = (module: Module, values: Value, axis: number): Value =>
  module.node('ReduceSum', [values, module.graph.int64s([axis])], { keepdims: { int: 0 } });

/** The chunks in groups that are added up in one pass, and these again; ungrouped where that is one pass anyway, or not to be had. */
function cutSums(chunks: number, rows: number): number[] {
  if (chunks <= SUMMANDS || rows <= SUMS) return [chunks];
  for (let inGroup = SUMMANDS; chunks / inGroup <= SUMMANDS; inGroup--) {
    if (chunks % inGroup === 0) return [chunks / inGroup, inGroup];
  }
  return [chunks];
}

const canSum = (cut: readonly number[], rows: number): boolean =>
  rows > SUMS && cut.every((count) => count <= SUMMANDS);

/** The largest divisor of `columns` that is no more than the chunk wanted and a multiple of the vector; all of it where there is none. */
function chunkOf(columns: number): number {
  for (let chunk = CHUNK; chunk >= VECTOR; chunk -= VECTOR) if (columns % chunk === 0) return chunk;
  return columns;
}
