/** Operators that the GPU providers run fastest, over `[batch, tokens, width]`. */
import type { Activation } from '../../../model/config-fields.js';
import { QUANT_BITS, quantizedNames } from '../../../tensor/quantized.js';
import type { Value } from '../../onnx/graph-builder.js';
import type { Module } from '../module.js';
import type { QuantizedWeight } from '../weights.js';
import { toFloat } from './casts.js';

/** `x W^T` with the module's weight as it is stored. */
export function product(module: Module, x: Value): Value {
  return namedProduct(module, x, `${module.path}.weight`);
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

/** Tensors that together are one matrix, `rows` outputs from `columns` inputs. */
export interface FloatWeight {
  readonly name: string;
  readonly tensors: readonly string[];
  readonly rows: number;
  readonly columns: number;
}

/**
 * On CUDA twice as fast as `Gemm` for a single row. WebGPU has no kernel for it; there `MatMul` of a transposed weight is
 * twice as fast as `Gemm`.
 */
export function floatProduct(module: Module, x: Value, { name, tensors, rows, columns }: FloatWeight): Value {
  const { stage } = module;
  if (stage.transposesWeights)
    return module.node('MatMul', [x, stage.joinedWeight(name, tensors, [columns, rows], true)]);
  return module.fused('FusedMatMul', [x, stage.joinedWeight(name, tensors, [rows, columns])], { transB: { int: 1 } });
}

const isAlike = (weight: QuantizedWeight, other: QuantizedWeight | undefined): boolean =>
  weight.scheme === other?.scheme && weight.blockSize === other.blockSize && weight.shape[1] === other.shape[1];

/** `x` has to be of the same dtype as the product that the caller wants: so have the scales. */
function quantizedProduct(module: Module, x: Value, parts: readonly QuantizedWeight[], name: string): Value {
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
  const isSame = stored.every((tensor) => stage.weights.get(tensor).dtype === stage.float);
  return module.fused('MatMulNBits', [x, values, isSame ? scales : toFloat(module, scales)], {
    K: { int: columns },
    N: { int: rows },
    bits: { int: bits },
    block_size: { int: blockSize },
  });
}

export function bias(module: Module): Value | undefined {
  return module.stage.weights.expects(`${module.path}.bias`) ? module.weight('bias') : undefined;
}

export function linear(module: Module, x: Value): Value {
  const offset = bias(module);
  return offset === undefined ? product(module, x) : module.add(product(module, x), offset);
}

/** Activation of a linear layer's output. */
export function activatedLinear(module: Module, x: Value, kind: Activation): Value {
  const offset = bias(module);
  if (kind !== 'gelu' || offset === undefined) return module.activation(linear(module, x), kind);
  return module.fused('BiasGelu', [product(module, x), offset]);
}

/** The value of `wire` plus what `module`, a linear layer, makes of `x`; added together with the next norm where one follows. */
export function addLinear(wire: string, module: Module, x: Value): void {
  const { stage } = module;
  const skip = stage.use(wire);
  const offset = bias(module);
  const branch = product(module, x);
  stage.makeSum(wire, { module, terms: [branch, skip], ...(offset === undefined ? {} : { bias: offset }) });
}

/** Norm of a wire; a sum that waits to be added is added in the same node. */
export function normOf(module: Module, wire: string, width: number, epsilon: number): Value {
  const { stage } = module;
  const sum = stage.takeSum(wire);
  if (sum === undefined || !stage.weights.expects(`${module.path}.weight`)) {
    return module.layerNorm(stage.use(wire), width, epsilon);
  }
  const affine = [module.weight('weight'), module.weight('bias')];
  const offset = sum.bias === undefined ? [] : [sum.bias];
  const [normed, , , total] = module.graph.nodes(
    'SkipLayerNormalization',
    [...sum.terms, ...affine, ...offset],
    [true, false, false, true],
    { ...module.named('SkipLayerNormalization', { epsilon }), domain: 'com.microsoft' },
  );
  stage.make(wire, total);
  return normed;
}
