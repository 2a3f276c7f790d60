/** Operators of graphs that kernels of our own run on a CUDA card. */
import { at } from '../../../checked-access.js';
import type { CustomOp } from '../ort/custom-ops.js';
import { cachedAttention, crossAttention, packedAttention, pictureAttention } from './attention-ops.js';
import type { CudaKernels } from './cuda-kernels.js';
import { ProductSums, quantizedProduct } from './quantized-product-op.js';
import { tunedProducts } from './tuned-product-op.js';

export function kernelOps(kernels: CudaKernels): CustomOp[] {
  const sums = new ProductSums();
  return [
    cachedAttention(kernels, 'CachedAttention'),
    cachedAttention(kernels, 'OffsetCachedAttention'),
    cachedAttention(kernels, 'QuantizedCachedAttention'),
    cachedAttention(kernels, 'OffsetQuantizedCachedAttention'),
    cachedAttention(kernels, 'BiasedCachedAttention'),
    cachedAttention(kernels, 'RotaryCachedAttention'),
    crossAttention(kernels),
    packedAttention(kernels),
    pictureAttention(kernels),
    quantizedProduct(kernels, sums, false),
    quantizedProduct(kernels, sums, true),
    ...tunedProducts(kernels),
    biasedActivation(kernels, 'gelu'),
    biasedActivation(kernels, 'relu'),
    gatedActivation(kernels, 'gelu'),
    gatedActivation(kernels, 'gelu_new'),
    gatedActivation(kernels, 'silu'),
    summedNorm(kernels, 'F16'),
    summedNorm(kernels, 'F32'),
    addLayerNorm(kernels),
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

const GATES = {
  gelu: { name: 'GatedGelu', dtype: 'F32' },
  gelu_new: { name: 'GatedGeluNew', dtype: 'F32' },
  silu: { name: 'GatedSilu', dtype: 'F16' },
} as const;

/**
 * `GatedGelu(x) -> y`: the first half of each row, through GELU, times the second, in float32; `GatedGeluNew`, GELU by tanh. `GatedSilu`, in
 * float16. Halves are whole multiples of 8.
 */
const gatedActivation = (kernels: CudaKernels, activation: keyof typeof GATES): CustomOp => ({
  name: GATES[activation].name,
  inputs: ['F16'],
  outputs: [GATES[activation].dtype],
  provider: 'CUDAExecutionProvider',
  kernel: () => {
    kernels.prepare('activation');
    return (run) => {
      const x = run.input(0);
      const width = at(x.dims, x.dims.length - 1) / 2;
      if (width % HALVES_OF_PIECE !== 0) throw new Error(`gates of ${width} are no multiples of ${HALVES_OF_PIECE}`);
      const dims = [...x.dims.slice(0, -1), width];
      const y = run.output(0, dims);
      const eighths = width / HALVES_OF_PIECE;
      const pieces = dims.reduce((product, size) => product * size, 1) / HALVES_OF_PIECE;
      if (pieces === 0) return;
      kernels.launch('activation', `gated_${activation}`, {
        grid: [Math.ceil(pieces / THREADS), 1, 1],
        threads: THREADS,
        stream: run.stream(),
        args: [x.address, y, eighths, pieces],
      });
    };
  },
});

/**
 * `AddRmsNorm(branch, x, weight) -> (sum, normed)` of rows of whole multiples of 4, `x` and the sum in float32; `AddWideRmsNorm` where the
 * branch is, too.
 */
const summedNorm = (kernels: CudaKernels, branch: 'F16' | 'F32'): CustomOp => ({
  name: branch === 'F16' ? 'AddRmsNorm' : 'AddWideRmsNorm',
  inputs: [branch, 'F32', 'F16'],
  outputs: ['F32', 'F16'],
  provider: 'CUDAExecutionProvider',
  kernel: (attributes) => {
    const epsilon = attributes.float('epsilon');
    kernels.prepare('norm');
    return (run) => {
      const [added, x, weight] = [run.input(0), run.input(1), run.input(2)];
      const { dims } = x;
      const width = at(dims, dims.length - 1);
      if (width % 4 !== 0) throw new Error(`rows of ${width} are no multiples of 4`);
      const [sum, normed] = [run.output(0, dims), run.output(1, dims)];
      const rows = dims.slice(0, -1).reduce((product, size) => product * size, 1);
      if (rows === 0) return;
      kernels.launch('norm', branch === 'F16' ? 'add_rms_norm' : 'add_wide_rms_norm', {
        grid: [rows, 1, 1],
        threads: THREADS,
        stream: run.stream(),
        args: [added.address, x.address, weight.address, sum, normed, width, { float: epsilon }],
      });
    };
  },
});

/**
 * `AddLayerNorm(branch, offset, x, weight, bias) -> (normed, half)`: the layer norm of branch + offset + x, in float32 and in float16; branch in
 * float16, all else in float32, rows of whole multiples of 4.
 */
const addLayerNorm = (kernels: CudaKernels): CustomOp => ({
  name: 'AddLayerNorm',
  inputs: ['F16', 'F32', 'F32', 'F32', 'F32'],
  outputs: ['F32', 'F16'],
  provider: 'CUDAExecutionProvider',
  kernel: (attributes) => {
    const epsilon = attributes.float('epsilon');
    kernels.prepare('norm');
    return (run) => {
      const [branch, offset, x] = [run.input(0).address, run.input(1).address, run.input(2)];
      const [weight, bias] = [run.input(3).address, run.input(4).address];
      const { dims } = x;
      const width = at(dims, dims.length - 1);
      if (width % 4 !== 0) throw new Error(`rows of ${width} are no multiples of 4`);
      const [normed, half] = [run.output(0, dims), run.output(1, dims)];
      const rows = dims.slice(0, -1).reduce((product, size) => product * size, 1);
      if (rows === 0) return;
      kernels.launch('norm', 'add_layer_norm', {
        grid: [rows, 1, 1],
        threads: THREADS,
        stream: run.stream(),
        args: [branch, offset, x.address, weight, bias, normed, half, width, { float: epsilon }],
      });
    };
  },
});
