/** cuBLAS, which ONNX Runtime's provider has loaded: found by its name. */
import { ProviderLibrary } from './provider-library.js';

/** CUBLAS_OP_T and _N, CUDA_R_16F, CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT. */
const TURNED = 1;
const AS_IT_IS = 0;
const REAL_16 = 2;
const SUMS_OF_32 = 68;
const ANY_ALGORITHM = -1;

/** Of CUDA 13 and 12. */
const FILES = ['libcublas.so.13', 'libcublas.so.12'];

const MATRIX = 'uint64_t, int, int';
const FUNCTIONS = {
  cublasCreate_v2: '_Out_ void**',
  cublasSetStream_v2: 'void*, void*',
  cublasGemmEx: `void*, int, int, int, int, int, float*, ${MATRIX}, ${MATRIX}, float*, ${MATRIX}, int, int`,
} as const;

/** Float16 x `[rows, inputs]`, weights `[outputs, inputs]`, y `[rows, outputs]`. */
export interface Product {
  readonly x: bigint;
  readonly weights: bigint;
  readonly y: bigint;
  readonly rows: number;
  readonly inputs: number;
  readonly outputs: number;
}

export class CudaBlas {
  readonly #library = new ProviderLibrary({ title: 'cuBLAS', files: FILES, functions: FUNCTIONS });
  readonly #handle: bigint;

  /** In the context that is current, as all that it is asked. @throws Blip2Error `CUDA_FAILED` */
  constructor() {
    this.#handle = this.#library.create('cublasCreate_v2');
  }

  /** y = x w^T, summed in float32, in the order of a stream. @throws Blip2Error `CUDA_FAILED` */
  multiply(stream: bigint, { x, weights, y, rows, inputs, outputs }: Product): void {
    this.#library.call('cublasSetStream_v2', this.#handle, stream);
    const [one, zero] = [Float32Array.of(1), Float32Array.of(0)];
    // Its matrices have their columns one after the other, so that theirs are our rows.
    const left = [weights, REAL_16, inputs] as const;
    const right = [x, REAL_16, inputs] as const;
    const result = [y, REAL_16, outputs] as const;
    const sizes = [outputs, rows, inputs] as const;
    const how = [SUMS_OF_32, ANY_ALGORITHM] as const;
    this.#library.call(
      'cublasGemmEx',
      this.#handle,
      TURNED,
      AS_IT_IS,
      ...sizes,
      one,
      ...left,
      ...right,
      zero,
      ...result,
      ...how,
    );
  }
}
