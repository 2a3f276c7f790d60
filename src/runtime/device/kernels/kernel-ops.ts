/** Operators of graphs that kernels of our own run on a CUDA card. */
import type { CustomOp } from '../ort/custom-ops.js';
import { biasedActivation } from './activation-ops.js';
import { cachedAttention, packedAttention } from './attention-ops.js';
import type { CudaKernels } from './cuda-kernels.js';
import { quantizedProduct } from './quantized-product-op.js';

export const kernelOps = (kernels: CudaKernels): CustomOp[] => [
  cachedAttention(kernels),
  packedAttention(kernels),
  quantizedProduct(kernels),
  biasedActivation(kernels, 'gelu'),
  biasedActivation(kernels, 'relu'),
];
