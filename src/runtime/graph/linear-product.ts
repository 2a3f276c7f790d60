/** `x W^T` on the CPU, with a weight `[out, in]` as the checkpoint holds it: floats, or small integers with scales. */
import { QUANT_BITS } from '../../tensor/quantized.js';
import type { Value } from '../onnx/graph-builder.js';
import type { Module } from './module.js';
import type { QuantizedWeight } from './weights.js';

/**
 * What `MatMulNBits` may round rows to: 4 is integers of 8 bits, with a scale for as many values as share one in the weight.
 * ONNX Runtime's CPU provider has no faster way: for 8-bit weights every other level unpacks the whole weight on every run
 * (80 times slower), for 4-bit ones it takes three times as long. `bench/cpu/README.md` has the error that it adds.
 */
const ACCURACY_LEVEL = 4;

/** The linear layer `module` over rows `[rows, in]`. Its bias is there when config.json implies one. */
export function linear(module: Module, rows: Value): Value {
  const bias = module.stage.weights.expects(`${module.path}.bias`) ? module.weight('bias') : undefined;
  return linearProduct(module, rows, `${module.path}.weight`, bias);
}

/**
 * @param rows `[rows, in]`
 * @param weight name of the weight
 * @param bias added to every row
 * @returns `[rows, out]`
 */
export function linearProduct(module: Module, rows: Value, weight: string, bias?: Value): Value {
  const { stage } = module;
  const quantized = stage.weights.quantized(weight);
  if (quantized !== null) return quantizedProduct(module, rows, quantized, bias);
  const operands = [rows, stage.weight(weight), ...(bias === undefined ? [] : [bias])];
  return module.node('Gemm', operands, { transB: { int: 1 } });
}

function quantizedProduct(module: Module, rows: Value, weight: QuantizedWeight, bias: Value | undefined): Value {
  const { stage } = module;
  const { scheme, blockSize, shape } = weight;
  const [out, width] = shape;
  const operands = [rows, stage.weight(weight.values), stage.weight(weight.scales)];
  // Between the scales and the bias stand zero points and a reordering of columns, which this storage has not.
  if (bias !== undefined) operands.push('', '', bias);
  const product = module.fused('MatMulNBits', operands, {
    K: { int: width },
    N: { int: out },
    bits: { int: QUANT_BITS[scheme] },
    block_size: { int: blockSize },
    accuracy_level: { int: ACCURACY_LEVEL },
  });
  return module.node('Add', [product, naught(module, rows, width)]);
}

/**
 * 0 for each row, and NaN where something of it is not finite: rounding rows to integers, `MatMulNBits` makes numbers of NaN
 * (`findings/ort-matmulnbits-nan.sh`), and a caption of a broken weight would look like any other.
 * @returns `[rows, 1]`
 */
function naught(module: Module, rows: Value, width: number): Value {
  const zeros = module.graph.constant(`zeros:[${width},1]`, 'F32', [width, 1], new Float32Array(width));
  return module.node('MatMul', [rows, zeros]);
}
