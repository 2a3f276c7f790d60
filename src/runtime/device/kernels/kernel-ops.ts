/** Operators of graphs that kernels of our own run on a CUDA card. */
import { at } from '../../../checked-access.js';
import type { CustomOp } from '../ort/custom-ops.js';
import { cachedAttention, packedAttention } from './attention-ops.js';
import type { CudaKernels } from './cuda-kernels.js';
import { ProductSums, quantizedProduct } from './quantized-product-op.js';

export function kernelOps(kernels: CudaKernels): CustomOp[] {
  const sums = new ProductSums();
  return [
    cachedAttention(kernels, 'F16'),
    cachedAttention(kernels, 'U8'),
    packedAttention(kernels),
    quantizedProduct(kernels, sums, false),
    quantizedProduct(kernels, sums, true),
    biasedActivation(kernels, 'gelu'),
    biasedActivation(kernels, 'relu'),
  ];
}

/** 16 bytes. */
const HALVES_OF_PIECE = 8;
const PIECES_OF_THREAD = 4;
const THREADS = 256;

/** `BiasGelu(x, bias) -> y`, as ONNX Runtime's, of rows of whole multiples of 8; `BiasRelu` likewise. */
const biasedActivation = (kernels: CudaKernels, activation: 'gelu' | 'relu'): CustomOp => ({
  name: activation === 'gelu' ? 'BiasGelu' : 'BiasRelu',
  inputs: ['F16', 'F16'],
  outputs: ['F16'],
  provider: 'CUDAExecutionProvider',
  kernel: () => {
    kernels.prepare('activation');
    return (run) => {
      const [x, bias] = [run.input(0), run.input(1).address];
      const { dims } = x;
      const width = at(dims, dims.length - 1);
      const eighths = width / HALVES_OF_PIECE;
      if (!Number.isInteger(eighths)) throw new Error(`rows of ${width} are no multiples of ${HALVES_OF_PIECE}`);
      const y = run.output(0, dims);
      const pieces = dims.reduce((product, size) => product * size, 1) / HALVES_OF_PIECE;
      if (pieces === 0) return;
      kernels.launch('activation', `bias_${activation}`, {
        grid: [Math.ceil(pieces / (THREADS * PIECES_OF_THREAD)), 1, 1],
        threads: THREADS,
        stream: run.stream(),
        args: [x.address, bias, y, eighths, pieces],
      });
    };
  },
});
