/** Products of activations with weights, stored as floats or as small integers. */
import { QUANT_BITS, quantizedNames } from '../../../tensor/quantized.js';
import type { Value } from '../../onnx/graph-builder.js';
import type { Module } from '../module.js';
import type { QuantizedWeight } from '../weights.js';
import { castTo } from './casts.js';
import type { FloatWeight } from './float-weight.js';
import { mixedProduct } from './mixed-product.js';

/** `x W^T` with the module's weight as it is stored. */
export function product(module: Module, x: Value): Value {
  return namedProduct(module, x, `${module.path}.weight`);
}

/** The same in float32, where a checkpoint keeps the weight so or has it in small integers. */
export function exactProduct(module: Module, x: Value): Value {
  const name = `${module.path}.weight`;
  const { weights } = module.stage;
  const quantized = weights.quantized(name);
  const wide = castTo(module, x, 'F32');
  if (quantized !== null) return quantizedProduct(module, wide, [quantized], name, 'F32');
  return weights.get(name).dtype === 'F32' ? product(module, wide) : castTo(module, product(module, x), 'F32');
}

/** `x W^T` with a weight of any name. */
export function namedProduct(module: Module, x: Value, name: string): Value {
  return joinedProduct(module, x, [name], name);
}

/** `x W^T` with several weights laid one below the other: their results side by side. */
export function joinedProduct(
  module: Module,
  x: Value,
  names: readonly string[],
  joinedName = `${module.path}.weight`,
): Value {
  const { stage } = module;
  const quantized = names.map((name) => stage.weights.quantized(name));
  if (quantized.every((weight) => weight === null)) {
    const shapes = names.map((name) => stage.weights.get(name).shape);
    const rows = shapes.reduce((sum, [count = 0]) => sum + count, 0);
    return floatProduct(module, x, { name: joinedName, tensors: names, rows, columns: shapes[0]?.[1] ?? 0 });
  }
  const known = quantized.filter((weight) => weight !== null);
  if (known.length === names.length && known.every((weight) => isAlike(weight, known[0]))) {
    return quantizedProduct(module, x, known, joinedName);
  }
  const parts = names.map((name) => namedProduct(module, x, name));
  return module.node('Concat', parts, { axis: { int: -1 } });
}

/**
 * On CUDA twice as fast as `Gemm` for a single row. WebGPU has no kernel for it; there `MatMul` of a transposed weight is
 * twice as fast as `Gemm`.
 */
export function floatProduct(module: Module, x: Value, weight: FloatWeight): Value {
  const { stage } = module;
  const { name, tensors, rows, columns } = weight;
  if (!stage.transposesWeights) {
    return module.fused('FusedMatMul', [x, stage.joinedWeight(name, tensors, [rows, columns])], { transB: { int: 1 } });
  }
  const isHalf = tensors.every((tensor) => stage.weights.get(tensor).dtype === 'F16');
  if (isHalf && stage.float === 'F32') return mixedProduct(module, x, weight);
  return module.node('MatMul', [x, stage.joinedWeight(name, tensors, [columns, rows], true)]);
}

const isAlike = (weight: QuantizedWeight, other: QuantizedWeight | undefined): boolean =>
  weight.scheme === other?.scheme && weight.blockSize === other.blockSize && weight.shape[1] === other.shape[1];

/** Four lanes of `QuantizedProduct` read 16 bytes each of a row, all of which have one scale. */
const hasOwnProduct = (columns: number, { scheme, blockSize }: QuantizedWeight): boolean =>
  columns % (512 / QUANT_BITS[scheme]) === 0 && blockSize % (128 / QUANT_BITS[scheme]) === 0;

/** @param dtype of `x`, and so of the scales and the product */
function quantizedProduct(
  module: Module,
  x: Value,
  parts: readonly QuantizedWeight[],
  name: string,
  dtype = module.stage.float,
): Value {
  const { stage } = module;
  const [first] = parts;
  if (first === undefined) throw new Error('a product with no weight');
  const { scheme, blockSize, shape } = first;
  const [, columns] = shape;
  const rows = parts.reduce((sum, { shape: [count] }) => sum + count, 0);
  const blocks = Math.ceil(columns / blockSize);
  const bits = QUANT_BITS[scheme];
  const names = quantizedNames(name, scheme);
  const values = stage.joinedWeight(
    names.values,
    parts.map((part) => part.values),
    [rows, blocks, (blockSize * bits) / 8],
  );
  const stored = parts.map((part) => part.scales);
  const scales = stage.joinedWeight(names.scales, stored, [rows, blocks]);
  const isSame = stored.every((tensor) => stage.weights.get(tensor).dtype === dtype);
  const operands = [x, values, isSame ? scales : castTo(module, scales, dtype)];
  const attributes = { K: { int: columns }, N: { int: rows }, bits: { int: bits }, block_size: { int: blockSize } };
  const isOwn = stage.own.products && dtype === 'F16' && hasOwnProduct(columns, first);
  if (!isOwn) return module.fused('MatMulNBits', operands, attributes);
  const options = { ...module.named('QuantizedProduct', attributes), domain: 'blip2' } as const;
  return stage.graph.node('QuantizedProduct', operands, options);
}
