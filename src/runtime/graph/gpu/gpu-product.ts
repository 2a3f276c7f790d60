/** Products of activations with weights, stored as floats or as small integers. */
import { QUANT_BITS, quantizedNames } from '../../../tensor/quantized.js';
import type { Attributes } from '../../onnx/attributes.js';
import type { Value } from '../../onnx/graph-builder.js';
import type { Module } from '../module.js';
import type { StageBuilder } from '../stage-builder.js';
import type { QuantizedWeight } from '../weights.js';
import { castTo } from './casts.js';
import type { FloatWeight } from './float-weight.js';
import type { GpuFloat } from './gpu-style.js';
import { mixedProduct } from './mixed-product.js';

/** What becomes of a product: a bias is added, and what is less than zero may become zero. */
export interface Finish {
  readonly bias: Value;
  readonly isRelu: boolean;
}

/** `x W^T` with the module's weight as it is stored. */
export function product(module: Module, x: Value, finish?: Finish): Value {
  const name = `${module.path}.weight`;
  return joinedProduct(module, x, [name], name, finish);
}

/**
 * The same in float32, where a checkpoint keeps the weight so or has it in small integers.
 * @param dtype of `x`, where it is not the device's float
 */
export function exactProduct(module: Module, x: Value, dtype?: 'F32'): Value {
  const name = `${module.path}.weight`;
  const { weights } = module.stage;
  const quantized = weights.quantized(name);
  const wide = dtype === 'F32' ? x : castTo(module, x, 'F32');
  if (quantized !== null) return quantizedProduct(module, wide, [quantized], { name, dtype: 'F32' });
  if (weights.get(name).dtype === 'F32') return product(module, wide);
  return castTo(module, product(module, dtype === 'F32' ? castTo(module, x, module.stage.float) : x), 'F32');
}

/**
 * `x W^T` with a weight of any name.
 * @param shape of the result, where `x` has other rows than `row_shape` says
 */
export function namedProduct(module: Module, x: Value, name: string, shape?: Value): Value {
  return joinedProduct(module, x, [name], name, undefined, shape);
}

/** `x W^T` with several weights laid one below the other: their results side by side. */
export function joinedProduct(
  module: Module,
  x: Value,
  names: readonly string[],
  joinedName = `${module.path}.weight`,
  finish?: Finish,
  shape?: Value,
): Value {
  const { stage } = module;
  const quantized = names.map((name) => stage.weights.quantized(name));
  if (quantized.every((weight) => weight === null)) {
    const shapes = names.map((name) => stage.weights.get(name).shape);
    const rows = shapes.reduce((sum, [count = 0]) => sum + count, 0);
    const weight = { name: joinedName, tensors: names, rows, columns: shapes[0]?.[1] ?? 0 };
    return finished(module, floatProduct(module, x, weight, shape), finish);
  }
  const known = quantized.filter((weight) => weight !== null);
  if (known.length === names.length && known.every((weight) => isAlike(weight, known[0]))) {
    return quantizedProduct(module, x, known, { name: joinedName, ...(finish === undefined ? {} : { finish }) });
  }
  const parts = names.map((name) => namedProduct(module, x, name));
  return finished(module, module.node('Concat', parts, { axis: { int: -1 } }), finish);
}

function finished(module: Module, made: Value, finish: Finish | undefined): Value {
  if (finish === undefined) return made;
  const sum = module.add(made, finish.bias);
  return finish.isRelu ? module.activation(sum, 'relu') : sum;
}

/**
 * On CUDA twice as fast as `Gemm` for a single row. WebGPU has no kernel for it; there `MatMul` of a transposed weight is
 * twice as fast as `Gemm`.
 */
export function floatProduct(module: Module, x: Value, weight: FloatWeight, shape?: Value): Value {
  const { stage } = module;
  const { name, tensors, rows, columns } = weight;
  if (!stage.forWebGpu) {
    if (stage.own.tuned && isAligned(stage, weight)) {
      const operands = [x, stage.joinedWeight(name, tensors, [rows, columns])];
      return stage.graph.node('TunedProduct', operands, { ...module.named('TunedProduct'), domain: 'blip2' });
    }
    return module.fused('FusedMatMul', [x, stage.joinedWeight(name, tensors, [rows, columns])], { transB: { int: 1 } });
  }
  const isHalf = tensors.every((tensor) => stage.weights.get(tensor).dtype === 'F16');
  if (isHalf && stage.float === 'F32') {
    return mixedProduct(module, x, weight, shape ?? (stage.joinsRows ? stage.use('row_shape') : undefined));
  }
  return module.node('MatMul', [x, stage.joinedWeight(name, tensors, [columns, rows], true)]);
}

/** `max(x W^T + bias, 0)` by one operator of our own; undefined where there is none for the module's weight. */
export function reluProduct(module: Module, x: Value, offset: Value): Value | undefined {
  const { stage } = module;
  const name = `${module.path}.weight`;
  if (!stage.own.activations || stage.weights.quantized(name) !== null) return undefined;
  const [rows = 0, columns = 0] = stage.weights.get(name).shape;
  if (!isAligned(stage, { name, tensors: [name], rows, columns })) return undefined;
  const operands = [x, stage.weight(name), offset];
  return stage.graph.node('TunedRelu', operands, { ...module.named('TunedRelu'), domain: 'blip2' });
}

/** Of whole multiples of 16 bytes a row, in halves. */
const isAligned = (stage: StageBuilder, { tensors, rows, columns }: FloatWeight): boolean =>
  stage.float === 'F16' &&
  rows % 8 === 0 &&
  columns % 8 === 0 &&
  tensors.every((tensor) => stage.weights.get(tensor).dtype === 'F16');

const isAlike = (weight: QuantizedWeight, other: QuantizedWeight | undefined): boolean =>
  weight.scheme === other?.scheme && weight.blockSize === other.blockSize && weight.shape[1] === other.shape[1];

/** Four lanes of `QuantizedProduct` read 16 bytes each of a row, all of which have one scale. */
const hasOwnProduct = (columns: number, { scheme, blockSize }: QuantizedWeight): boolean =>
  columns % (512 / QUANT_BITS[scheme]) === 0 && blockSize % (128 / QUANT_BITS[scheme]) === 0;

/** Whether a module's product is ours, which adds a bias and does more by itself. */
export function finishesProducts({ stage, path }: Module): boolean {
  const weight = stage.weights.quantized(`${path}.weight`);
  if (weight === null || !stage.own.products || stage.float !== 'F16') return false;
  const [rows, columns] = weight.shape;
  return hasOwnProduct(columns, weight) && rows % FINISHED_AT_ONCE === 0;
}

interface NamedProduct {
  readonly name: string;
  /** Of `x`, and so of the scales and the product. */
  readonly dtype?: GpuFloat;
  readonly finish?: Finish;
}

/** Numbers that a kernel finishes at once. */
const FINISHED_AT_ONCE = 8;

function quantizedProduct(
  module: Module,
  x: Value,
  parts: readonly QuantizedWeight[],
  { name, dtype = module.stage.float, finish }: NamedProduct,
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
  if (!isOwn) return finished(module, module.fused('MatMulNBits', operands, attributes), finish);
  const own = (op: string, inputs: readonly Value[], more: Attributes = {}) =>
    stage.graph.node(op, inputs, { ...module.named(op, { ...attributes, ...more }), domain: 'blip2' });
  if (finish === undefined || rows % FINISHED_AT_ONCE !== 0) {
    return finished(module, own('QuantizedProduct', operands), finish);
  }
  return own('QuantizedLinear', [...operands, finish.bias], { relu: { int: finish.isRelu ? 1 : 0 } });
}
