/** Small models whose running time says what a device does: products with large weights, and many nodes with tiny ones. */
import { fileURLToPath } from 'node:url';
import type { StoredTensor } from '../../loader/format/stored-tensor.js';
import { QUANT_BITS, QUANT_BLOCK_SIZE, quantizedInfos } from '../../tensor/quantized.js';
import type { TensorInfo } from '../../tensor/tensor-info.js';
import { GraphBuilder } from '../onnx/graph-builder.js';

/** Width and inner width of the layers of opt-2.7b: what the products are measured with. */
export const WIDTH = 2560;
export const INNER = 10_240;
/** Linear layers one after the other whose arithmetic is timed. */
export const LAYERS = 3;
/** Layers whose bytes are timed: 839 MB of float32, more than any processor's caches hold (320 MB in today's largest). */
export const LARGE_LAYERS = 8;
/** Rows of a picture's or a prompt's pass. */
export const MANY_ROWS = 257;
/** Modules in the chain that times what a module costs beside its arithmetic. */
export const LEAVES = 128;

/** Shape `[out, in]` of a layer, as checkpoints store it. */
export function layerShape(layer: number): [number, number] {
  return layer % 2 === 0 ? [INNER, WIDTH] : [WIDTH, INNER];
}

/** `x [rows, 2560]` through the layers; `weightOf` adds each layer's weight to the graph. */
export function productGraph(
  graph: GraphBuilder,
  dtype: 'F32' | 'F16',
  weightOf: (graph: GraphBuilder, layer: number) => string,
  layers = LAYERS,
): Uint8Array {
  let value = graph.input('x', { dtype, dims: ['rows', WIDTH] });
  for (let layer = 0; layer < layers; layer++) {
    value = graph.node('Gemm', [value, weightOf(graph, layer)], {
      name: `layer.${layer}`,
      attributes: { transB: { int: 1 } },
    });
  }
  graph.output('y', value, { dtype, dims: ['rows', 'width'] });
  return graph.toModel();
}

/** Products with integers of 8 bits that are timed, one after the other, over this many different weights in turn. */
export const QUANTIZED_LAYERS = 24;
export const QUANTIZED_WEIGHTS = 4;

/** `x [1, width]` through products with weights in int8, which are the inputs `w0`, `s0`, `w1`, ...: see `quantizedInputs`. */
export function quantizedGraph(dtype: 'F32' | 'F16', shapeOf = layerShape): Uint8Array {
  const graph = new GraphBuilder('/');
  let value = graph.input('x', { dtype, dims: [1, shapeOf(0)[1]] });
  for (const [name, { dtype: stored, shape }] of quantizedInputs(dtype, shapeOf)) {
    graph.input(name, { dtype: stored, dims: shape });
  }
  for (let layer = 0; layer < QUANTIZED_LAYERS; layer++) {
    const [rows, columns] = shapeOf(layer);
    const weight = layer % QUANTIZED_WEIGHTS;
    value = graph.node('MatMulNBits', [value, `w${weight}`, `s${weight}`], {
      name: `layer.${layer}`,
      domain: 'com.microsoft',
      attributes: {
        K: { int: columns },
        N: { int: rows },
        bits: { int: QUANT_BITS.int8 },
        block_size: { int: QUANT_BLOCK_SIZE.int8 },
      },
    });
  }
  graph.output('y', value, { dtype, dims: [1, shapeOf(QUANTIZED_LAYERS - 1)[0]] });
  return graph.toModel();
}

/** Values and scales of the weights, the scales in the dtype of the rows. */
export function quantizedInputs(dtype: 'F32' | 'F16', shapeOf = layerShape): Map<string, TensorInfo> {
  const inputs = new Map<string, TensorInfo>();
  for (let weight = 0; weight < QUANTIZED_WEIGHTS; weight++) {
    const { values, scales } = quantizedInfos(shapeOf(weight), 'int8');
    inputs.set(`w${weight}`, values);
    inputs.set(`s${weight}`, { dtype, shape: scales.shape });
  }
  return inputs;
}

/** The layers as tensors of one file that holds nothing else. */
export function layerTensors(file: string): StoredTensor[] {
  let begin = 0;
  return Array.from({ length: LARGE_LAYERS }, (_, layer) => {
    const shape = layerShape(layer);
    const end = begin + 4 * shape[0] * shape[1];
    const tensor: StoredTensor = { dtype: 'F32', shape, file, begin, end };
    begin = end;
    return tensor;
  });
}

/** Tiny modules one after the other, each with the nodes that surround a linear layer in a decoder. */
export function leavesGraph(dtype: 'F32' | 'F16'): Uint8Array {
  const size = 16;
  const graph = new GraphBuilder(fileURLToPath(new URL('.', import.meta.url)));
  const type = { dtype, dims: [1, size] } as const;
  const zeros = new Uint8Array((dtype === 'F32' ? 4 : 2) * size * size);
  const weight = graph.constant('weight', dtype, [size, size], zeros);
  const bias = graph.constant('bias', dtype, [size], zeros.subarray(0, zeros.length / size));
  let value = graph.input('x', type);
  for (let leaf = 0; leaf < LEAVES; leaf++) {
    const product = graph.node('Gemm', [value, weight], { name: `leaf.${leaf}/product` });
    const sum = graph.node('Add', [product, bias], { name: `leaf.${leaf}/bias` });
    const gate = graph.node('Sigmoid', [sum], { name: `leaf.${leaf}/gate` });
    value = graph.node('Mul', [sum, gate], { name: `leaf.${leaf}/mul` });
  }
  graph.output('y', value, type);
  return graph.toModel();
}
