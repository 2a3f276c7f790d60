/** Operators of graphs that kernels of our own run on a CUDA card. */
import type { CustomOp } from '../ort/custom-ops.js';
import { biasedActivation } from './activation-ops.js';
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
