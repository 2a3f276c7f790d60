/** cuBLAS, which ONNX Runtime's provider has loaded: found by its name. */
import koffi, { type LibraryHandle } from 'koffi';
import { Blip2Error } from '../../../errors.js';

/** CUBLAS_OP_T and _N, CUDA_R_16F, CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT. */
const TURNED = 1;
const AS_IT_IS = 0;
const REAL_16 = 2;
const SUMS_OF_32 = 68;
const ANY_ALGORITHM = -1;

/** Of CUDA 13 and 12: the provider was built for one of them. */
const LIBRARIES = ['libcublas.so.13', 'libcublas.so.12'];

const MATRIX = 'uint64_t, int, int';
const FUNCTIONS = {
  cublasCreate_v2: '_Out_ void**',
  cublasSetStream_v2: 'void*, void*',
  cublasGemmEx: `void*, int, int, int, int, int, float*, ${MATRIX}, ${MATRIX}, float*, ${MATRIX}, int, int`,
} as const;

type Argument = bigint | number | Float32Array | (bigint | null)[];
type NativeFunction = (...args: Argument[]) => number;

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
  /** Kept for ever: a handle that is collected closes the library under its callers. */
  readonly #library: LibraryHandle;
  readonly #handle: bigint;
  readonly #functions = new Map<string, NativeFunction>();

  /** In the context that is current, as all that it is asked. @throws Blip2Error `CUDA_FAILED` */
  constructor() {
    this.#library = open();
    const slot: (bigint | null)[] = [null];
    this.#call('cublasCreate_v2', slot);
    const [handle] = slot;
    if (handle === null || handle === undefined) throw failure('cublasCreate_v2', 'nothing');
    this.#handle = handle;
  }

  /** y = x w^T, summed in float32, in the order of a stream. @throws Blip2Error `CUDA_FAILED` */
  multiply(stream: bigint, { x, weights, y, rows, inputs, outputs }: Product): void {
    this.#call('cublasSetStream_v2', this.#handle, stream);
    const [one, zero] = [Float32Array.of(1), Float32Array.of(0)];
    // Its matrices have their columns one after the other, so that theirs are our rows.
    const left = [weights, REAL_16, inputs] as const;
    const right = [x, REAL_16, inputs] as const;
    const result = [y, REAL_16, outputs] as const;
    const sizes = [outputs, rows, inputs] as const;
    const how = [SUMS_OF_32, ANY_ALGORITHM] as const;
    this.#call(
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

  #call(name: keyof typeof FUNCTIONS, ...args: Argument[]): void {
    let native = this.#functions.get(name);
    if (native === undefined) {
      native = this.#library.func(`int ${name}(${FUNCTIONS[name]})`) as NativeFunction;
      this.#functions.set(name, native);
    }
    const code = native(...args);
    if (code !== 0) throw failure(name, String(code));
  }
}

function open(): LibraryHandle {
  for (const name of LIBRARIES) {
    try {
      return koffi.load(name);
    } catch {
      // The provider was built for another.
    }
  }
  throw failure('dlopen', `not found: ${LIBRARIES.join(', ')}`);
}

const failure = (name: string, answer: string): Blip2Error =>
  new Blip2Error('CUDA_FAILED', `cuBLAS answered ${answer} to ${name}`, {
    hint: 'nvidia-smi shows whether the card still works.',
    details: { function: name },
  });
