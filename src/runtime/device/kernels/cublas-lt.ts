/** cuBLASLt, which ONNX Runtime's provider has loaded: products by an algorithm of the caller's choice. */
import { ProviderLibrary } from './provider-library.js';

/** CUBLAS_COMPUTE_32F, CUDA_R_32F and _16F, CUBLAS_OP_T. */
const SUMS_OF_32 = 68;
const REAL_32 = 0;
const REAL_16 = 2;
const TURNED = 1;
/** CUBLASLT_MATMUL_DESC_TRANSA, _EPILOGUE, _BIAS_POINTER, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, _MIN_ALIGNMENT_A_BYTES to _D_BYTES. */
const TURN_OF_FIRST = 3;
const END = 7;
const BIAS = 8;
const MOST_WORKSPACE = 1;
const ALIGNMENTS = [5, 6, 7, 8];
/** CUBLASLT_EPILOGUE_RELU_BIAS. What is not a number stays so in it, as a test on a card saw (docs/decisions/0017-operators-of-our-own.md). */
const BIAS_AND_RELU = 6;
/** What tensor cores read at once: all that is known of the places of tensors. */
const ALIGNMENT_BYTES = 16;

/** `cublasLtMatmulHeuristicResult_t`: an algorithm of 64 bytes first; the rest counts only where its state is 0. */
const RESULT_BYTES = 96;
const STATE_AT = 72;
/** Algorithms that are asked for. */
const MOST_OFFERED = 8;

/** Of CUDA 13 and 12. */
const FILES = ['libcublasLt.so.13', 'libcublasLt.so.12'];

const FUNCTIONS = {
  cublasLtCreate: '_Out_ void**',
  cublasLtMatmulDescCreate: '_Out_ void**, int, int',
  cublasLtMatmulDescSetAttribute: 'void*, int, void*, size_t',
  cublasLtMatrixLayoutCreate: '_Out_ void**, int, uint64_t, uint64_t, int64_t',
  cublasLtMatrixLayoutDestroy: 'void*',
  cublasLtMatmulPreferenceCreate: '_Out_ void**',
  cublasLtMatmulPreferenceSetAttribute: 'void*, int, void*, size_t',
  cublasLtMatmulAlgoGetHeuristic: 'void*, void*, void*, void*, void*, void*, void*, int, void*, _Out_ int*',
  cublasLtMatmul:
    'void*, void*, float*, uint64_t, void*, uint64_t, void*, float*, uint64_t, void*, uint64_t, void*, void*, uint64_t, size_t, void*',
} as const;

export interface ProductShape {
  readonly rows: number;
  readonly inputs: number;
  readonly outputs: number;
  /** Whether a bias is added, and what is less than zero then becomes zero. */
  readonly isRelu: boolean;
}

/** The ways in which float16 x `[rows, inputs]` is multiplied with weights `[outputs, inputs]`, likeliest to be the fastest first. */
export interface ProductWays extends ProductShape {
  readonly layouts: readonly [weights: bigint, x: bigint, y: bigint];
  readonly algorithms: readonly Uint8Array[];
}

/** Addresses in device memory. */
export interface ProductPlaces {
  readonly x: bigint;
  readonly weights: bigint;
  /** `[outputs]`; 0 where none is added. */
  readonly bias: bigint;
  readonly y: bigint;
}

export class CublasLt {
  readonly #library = new ProviderLibrary({ title: 'cuBLASLt', files: FILES, functions: FUNCTIONS });
  readonly #handle: bigint;
  readonly #product: bigint;
  readonly #reluProduct: bigint;
  readonly #preference: bigint;
  readonly #workspaceBytes: number;
  readonly #one = Float32Array.of(1);
  readonly #zero = Float32Array.of(0);

  /**
   * In the context that is current, as all that it is asked.
   * @param workspaceBytes of device memory that a product may have
   * @throws Blip2Error `CUDA_FAILED`
   */
  constructor(workspaceBytes: number) {
    this.#workspaceBytes = workspaceBytes;
    this.#handle = this.#library.create('cublasLtCreate');
    this.#product = this.#newProduct();
    this.#reluProduct = this.#newProduct();
    this.#describe(this.#reluProduct, END, Int32Array.of(BIAS_AND_RELU));
    this.#preference = this.#library.create('cublasLtMatmulPreferenceCreate');
    const prefer = (attribute: number, value: Int32Array | BigUint64Array) =>
      this.#library.call('cublasLtMatmulPreferenceSetAttribute', this.#preference, attribute, value, value.byteLength);
    prefer(MOST_WORKSPACE, BigUint64Array.of(BigInt(workspaceBytes)));
    for (const attribute of ALIGNMENTS) prefer(attribute, Int32Array.of(ALIGNMENT_BYTES));
  }

  #newProduct(): bigint {
    const product = this.#library.create('cublasLtMatmulDescCreate', SUMS_OF_32, REAL_32);
    this.#describe(product, TURN_OF_FIRST, Int32Array.of(TURNED));
    return product;
  }

  #describe(product: bigint, attribute: number, value: Int32Array | BigUint64Array): void {
    this.#library.call('cublasLtMatmulDescSetAttribute', product, attribute, value, value.byteLength);
  }

  /** @throws Blip2Error `CUDA_FAILED` where there is none */
  waysOf({ rows, inputs, outputs, isRelu }: ProductShape): ProductWays {
    // Its matrices have their columns one after the other, so that theirs are our rows.
    const layout = (height: number, width: number) =>
      this.#library.create('cublasLtMatrixLayoutCreate', REAL_16, height, width, height);
    const [weights, x, y] = [layout(inputs, outputs), layout(inputs, rows), layout(outputs, rows)];
    const results = new Uint8Array(MOST_OFFERED * RESULT_BYTES);
    const count: number[] = [0];
    const product = isRelu ? this.#reluProduct : this.#product;
    const asked = [this.#handle, product, weights, x, y, y, this.#preference, MOST_OFFERED, results] as const;
    this.#library.call('cublasLtMatmulAlgoGetHeuristic', ...asked, count);
    const algorithms = offeredIn(results, count[0] ?? 0);
    if (algorithms.length === 0) throw this.#library.failure('cublasLtMatmulAlgoGetHeuristic', 'no algorithm');
    return { rows, inputs, outputs, isRelu, layouts: [weights, x, y], algorithms };
  }

  /** They are multiplied by no more. */
  forget({ layouts }: ProductWays): void {
    for (const layout of layouts) this.#library.call('cublasLtMatrixLayoutDestroy', layout);
  }

  /** y = x w^T, summed in float32, in the order of a stream; the bias is read where the product `isRelu`. @throws Blip2Error `CUDA_FAILED` */
  multiply(
    { layouts: [weightsLayout, xLayout, yLayout], isRelu }: ProductWays,
    algorithm: Uint8Array,
    places: ProductPlaces,
    { workspace, stream }: { readonly workspace: bigint; readonly stream: bigint },
  ): void {
    const { x, weights, bias, y } = places;
    const product = isRelu ? this.#reluProduct : this.#product;
    if (isRelu) this.#describe(product, BIAS, BigUint64Array.of(bias));
    const factors = [this.#one, weights, weightsLayout, x, xLayout] as const;
    const result = [this.#zero, y, yLayout, y, yLayout] as const;
    const how = [algorithm, workspace, this.#workspaceBytes, stream] as const;
    this.#library.call('cublasLtMatmul', this.#handle, product, ...factors, ...result, ...how);
  }
}

/** Of so many results, those that are algorithms. */
export function offeredIn(results: Uint8Array, count: number): Uint8Array[] {
  const { buffer, byteOffset } = results;
  return Array.from({ length: count }, (_, i) => results.slice(i * RESULT_BYTES, (i + 1) * RESULT_BYTES)).filter(
    (_, i) => new DataView(buffer, byteOffset + i * RESULT_BYTES).getInt32(STATE_AT, true) === 0,
  );
}
