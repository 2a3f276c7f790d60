/** Products of many rows by the algorithm that is fastest for their shape on this card, which is tried where it is first wanted. */
import { at } from '../../../checked-access.js';
import type { CustomOp } from '../ort/custom-ops.js';
import { CublasLt, type ProductShape, type ProductWays } from './cublas-lt.js';
import type { CudaKernels } from './cuda-kernels.js';

/** Rows from which trying pays. */
const LEAST_TUNED_ROWS = 2048;
/** What another algorithm must save: times beside other work are not exact. */
const LEAST_GAIN = 0.03;
const ROUNDS = 4;
const WORKSPACE_BYTES = 64 * 1024;

interface Places {
  readonly x: bigint;
  readonly weights: bigint;
  readonly y: bigint;
}

interface Choice {
  readonly ways: ProductWays;
  algorithm: Uint8Array;
  isTuned: boolean;
}

export class TunedProducts {
  readonly #kernels: Pick<CudaKernels, 'times' | 'isRecording'>;
  readonly #lt: Pick<CublasLt, 'waysOf' | 'multiply'>;
  /** Address of memory that a product under way may have. */
  readonly #workspace: bigint;
  readonly #choices = new Map<string, Choice>();

  constructor(
    kernels: Pick<CudaKernels, 'times' | 'isRecording'>,
    lt: Pick<CublasLt, 'waysOf' | 'multiply'>,
    workspace: bigint,
  ) {
    this.#kernels = kernels;
    this.#lt = lt;
    this.#workspace = workspace;
  }

  static open(kernels: CudaKernels): TunedProducts {
    const workspace = kernels.zeros(WORKSPACE_BYTES);
    return new TunedProducts(kernels, new CublasLt(WORKSPACE_BYTES), workspace);
  }

  multiply(stream: bigint, shape: ProductShape, places: Places): void {
    const key = `${shape.rows} ${shape.inputs} ${shape.outputs}`;
    let choice = this.#choices.get(key);
    if (choice === undefined) {
      const ways = this.#lt.waysOf(shape);
      const isTuned = shape.rows < LEAST_TUNED_ROWS || ways.algorithms.length === 1;
      choice = { ways, algorithm: at(ways.algorithms, 0), isTuned };
      this.#choices.set(key, choice);
    }
    // Of a run that is being recorded nothing is waited for.
    if (!choice.isTuned && !this.#kernels.isRecording(stream)) this.#tune(choice, stream, places);
    this.#run(choice, choice.algorithm, stream, places);
  }

  #tune(choice: Choice, stream: bigint, places: Places): void {
    const { algorithms } = choice.ways;
    const best = algorithms.map(() => Infinity);
    for (let round = 0; round < ROUNDS; round++) {
      const times = this.#kernels.times(
        stream,
        algorithms.map((algorithm) => () => this.#run(choice, algorithm, stream, places)),
      );
      // The first time is also a kernel's loading.
      if (round > 0) times.forEach((ms, i) => (best[i] = Math.min(at(best, i), ms)));
    }
    const fastest = best.indexOf(Math.min(...best));
    if (at(best, fastest) < (1 - LEAST_GAIN) * at(best, 0)) choice.algorithm = at(algorithms, fastest);
    choice.isTuned = true;
  }

  #run(choice: Choice, algorithm: Uint8Array, stream: bigint, places: Places): void {
    this.#lt.multiply(choice.ways, algorithm, places, { workspace: this.#workspace, stream });
  }
}

/** `TunedProduct(x, w) -> y`: x `[..., inputs]`, w `[outputs, inputs]`, y `[..., outputs]`, summed in float32. */
export function tunedProduct(kernels: CudaKernels): CustomOp {
  let made: TunedProducts | undefined;
  return {
    name: 'TunedProduct',
    inputs: ['F16', 'F16'],
    outputs: ['F16'],
    provider: 'CUDAExecutionProvider',
    kernel: () => {
      const products = (made ??= kernels.within(() => TunedProducts.open(kernels)));
      return (run) => {
        const [x, weights] = [run.input(0), run.input(1)];
        const outer = x.dims.slice(0, -1);
        const [outputs, inputs] = [at(weights.dims, 0), at(weights.dims, 1)];
        const rows = outer.reduce((product, size) => product * size, 1);
        const y = run.output(0, [...outer, outputs]);
        if (rows === 0) return;
        const places = { x: x.address, weights: weights.address, y };
        kernels.within(() => products.multiply(run.stream(), { rows, inputs, outputs }, places));
      };
    },
  };
}
