/** Products of many rows by the algorithm that is fastest for their shape on this card, which is tried where a shape comes often. */
import { at } from '../../../checked-access.js';
import type { CustomOp } from '../ort/custom-ops.js';
import { CublasLt, type ProductPlaces, type ProductShape, type ProductWays } from './cublas-lt.js';
import type { CudaKernels } from './cuda-kernels.js';

/** Rows from which trying pays, and multiplications: each algorithm is a kernel to be loaded, which the Q-Former's small products never make up for. */
const LEAST_TUNED_ROWS = 2048;
const LEAST_TUNED_WORK = 8e9;
/**
 * Products of a shape before its algorithms are tried, which takes as long as some thirty of them: rows of a last batch, or of prompts of one
 * length, may never come again.
 */
const LEAST_PRODUCTS = 64;
/** What another algorithm must save: times beside other work are not exact. */
const LEAST_GAIN = 0.03;
const ROUNDS = 3;
const WORKSPACE_BYTES = 64 * 1024;
/** Shapes that are remembered: each takes some 3 KB, and prompts have any number of rows. */
const MOST_SHAPES = 1024;

interface Choice {
  readonly ways: ProductWays;
  /** The one that is taken first. */
  algorithms: readonly Uint8Array[];
  isTuned: boolean;
  products: number;
}

export class TunedProducts {
  readonly #kernels: Pick<CudaKernels, 'times' | 'isRecording'>;
  readonly #lt: Pick<CublasLt, 'waysOf' | 'multiply' | 'forget'>;
  /** Address of memory that a product under way may have. */
  readonly #workspace: bigint;
  /** Those that were asked for last come last. */
  readonly #choices = new Map<string, Choice>();

  constructor(
    kernels: Pick<CudaKernels, 'times' | 'isRecording'>,
    lt: Pick<CublasLt, 'waysOf' | 'multiply' | 'forget'>,
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

  /** @throws Blip2Error `CUDA_FAILED` where the library takes none of the algorithms that it offers */
  multiply(stream: bigint, shape: ProductShape, places: ProductPlaces): void {
    const choice = this.#choiceOf(shape);
    choice.products++;
    // Of a run that is being recorded nothing is waited for.
    if (!choice.isTuned && choice.products >= LEAST_PRODUCTS && !this.#kernels.isRecording(stream)) {
      this.#tune(choice, stream, places);
    }
    let refusal: unknown;
    for (const algorithm of choice.algorithms) {
      try {
        return this.#run(choice, algorithm, stream, places);
      } catch (error) {
        refusal ??= error;
        choice.algorithms = choice.algorithms.filter((each) => each !== algorithm);
      }
    }
    this.#choices.delete(keyOf(shape));
    this.#lt.forget(choice.ways);
    throw refusal;
  }

  #choiceOf(shape: ProductShape): Choice {
    const key = keyOf(shape);
    const choice = this.#choices.get(key) ?? this.#newChoice(shape);
    this.#choices.delete(key);
    this.#choices.set(key, choice);
    const [oldest] = this.#choices;
    if (this.#choices.size > MOST_SHAPES && oldest !== undefined) {
      this.#choices.delete(oldest[0]);
      this.#lt.forget(oldest[1].ways);
    }
    return choice;
  }

  #newChoice(shape: ProductShape): Choice {
    const ways = this.#lt.waysOf(shape);
    const { rows, inputs, outputs } = shape;
    const isSmall = rows < LEAST_TUNED_ROWS || rows * inputs * outputs < LEAST_TUNED_WORK;
    const isTuned = isSmall || ways.algorithms.length === 1;
    return { ways, algorithms: ways.algorithms, isTuned, products: 0 };
  }

  #tune(choice: Choice, stream: bigint, places: ProductPlaces): void {
    choice.isTuned = true;
    // The first time is also a kernel's loading.
    const able = choice.algorithms.filter((algorithm) => {
      try {
        this.#run(choice, algorithm, stream, places);
        return true;
      } catch {
        return false;
      }
    });
    if (able.length < 2) return;
    const works = able.map((algorithm) => () => this.#run(choice, algorithm, stream, places));
    const best = able.map(() => Infinity);
    for (let round = 0; round < ROUNDS; round++) {
      this.#kernels.times(stream, works).forEach((ms, i) => (best[i] = Math.min(at(best, i), ms)));
    }
    const fastest = best.indexOf(Math.min(...best));
    const isWorthIt = at(best, fastest) < (1 - LEAST_GAIN) * at(best, 0);
    choice.algorithms = isWorthIt ? [at(able, fastest), ...able.toSpliced(fastest, 1)] : able;
  }

  #run(choice: Choice, algorithm: Uint8Array, stream: bigint, places: ProductPlaces): void {
    this.#lt.multiply(choice.ways, algorithm, places, { workspace: this.#workspace, stream });
  }
}

const keyOf = ({ rows, inputs, outputs, isRelu }: ProductShape): string =>
  `${rows} ${inputs} ${outputs}${isRelu ? ' relu' : ''}`;

/**
 * `TunedProduct(x, w) -> y`: x `[..., inputs]`, w `[outputs, inputs]`, y `[..., outputs]`, summed in float32. `TunedRelu(x, w, bias) -> y`: the same
 * plus bias `[outputs]`, and 0 where that is less.
 */
export function tunedProducts(kernels: CudaKernels): CustomOp[] {
  let made: TunedProducts | undefined;
  const op = (isRelu: boolean): CustomOp => ({
    name: isRelu ? 'TunedRelu' : 'TunedProduct',
    inputs: isRelu ? ['F16', 'F16', 'F16'] : ['F16', 'F16'],
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
        const bias = isRelu ? run.input(2).address : 0n;
        const places = { x: x.address, weights: weights.address, bias, y };
        kernels.within(() => products.multiply(run.stream(), { rows, inputs, outputs, isRelu }, places));
      };
    },
  });
  return [op(false), op(true)];
}
