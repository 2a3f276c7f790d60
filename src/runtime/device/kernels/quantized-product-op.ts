import { MOST_PACKED_ROWS } from '../../../planner/price/device-profile.js';
import type { CustomOp } from '../ort/custom-ops.js';
import type { CudaKernels } from './cuda-kernels.js';

const WARP = 32;

/** Rows of weights of a block of threads, and its warps. */
const OUTPUTS = 64;
const PRODUCT_WARPS = 4;
/** Rows of activations, in eights, that kernels are compiled for. */
const COLUMNS = [2, 4, 6] as const;
/** Weights along a row that four lanes read at once. */
const STRETCH = { 8: 64, 4: 128 } as const;
/** What a block's lanes have fetched ahead: 4 stretches of 64 rows for each warp, a lane's 16 bytes with the 4 that its scale is in. */
const FETCHED_BYTES = 4 * PRODUCT_WARPS * 8 * WARP * (16 + 4);
/** Blocks of threads that a multiprocessor has room for. */
const BLOCKS_AT_ONCE = 2;
const FLOAT_BYTES = 4;
const HALF_BYTES = 2;
const WIDENING_THREADS = 256;
/** Numbers that a thread finishes. */
const PIECE = 8;

/** Memory in which the blocks of one product leave sums for each other. Products follow one another: one does for all. */
export class ProductSums {
  #made: { readonly partials: bigint; readonly arrivals: bigint } | undefined;

  of(kernels: CudaKernels): { readonly partials: bigint; readonly arrivals: bigint } {
    const blocks = BLOCKS_AT_ONCE * kernels.multiprocessors;
    return (this.#made ??= {
      partials: kernels.zeros(blocks * OUTPUTS * Math.max(...COLUMNS) * 8 * FLOAT_BYTES),
      arrivals: kernels.zeros(blocks * FLOAT_BYTES),
    });
  }
}

/**
 * `QuantizedProduct(x, values, scales) -> y`, as `MatMulNBits` has them, for any number of rows. `QuantizedLinear(x, values, scales, bias)`:
 * the same with a bias added, and zero in place of what is less where `relu` is 1.
 *
 * More rows than `MOST_PACKED_ROWS` are cuBLAS's, by weights that become halves in memory, once. On an H200 a layer of opt-2.7b in int8
 * takes 79 us for 48 rows, 138 by halves, and 592 for 660 rows, 243 by halves.
 */
export function quantizedProduct(kernels: CudaKernels, shared: ProductSums, isLinear: boolean): CustomOp {
  return {
    name: isLinear ? 'QuantizedLinear' : 'QuantizedProduct',
    inputs: ['F16', 'U8', 'F16', ...(isLinear ? (['F16'] as const) : [])],
    outputs: ['F16'],
    provider: 'CUDAExecutionProvider',
    kernel: (attributes) => {
      const [inputs, outputs] = [attributes.int('K'), attributes.int('N')];
      const [bits, blockSize] = [attributes.int('bits'), attributes.int('block_size')];
      if (bits !== 8 && bits !== 4) throw new Error(`no kernel multiplies by weights of ${bits} bits`);
      kernels.prepare('product');
      const { partials, arrivals } = shared.of(kernels);
      const isRelu = isLinear ? attributes.int('relu') : 0;
      const blas = kernels.blas();
      const stretches = inputs / STRETCH[bits];
      return (run) => {
        const x = run.input(0);
        const outer = x.dims.slice(0, -1);
        const rows = outer.reduce((product, size) => product * size, 1);
        const y = run.output(0, [...outer, outputs]);
        if (rows === 0) return;
        const [values, scales] = [run.input(1).address, run.input(2).address];
        const bias = isLinear ? run.input(3).address : 0n;
        const stream = run.stream();
        if (rows > MOST_PACKED_ROWS) {
          run.withScratch(kernels.place, inputs * outputs * HALF_BYTES, (floats) => {
            const pieces = (inputs * outputs * bits) / 128;
            kernels.launch('product', `int${bits}_floats`, {
              grid: [Math.ceil(pieces / WIDENING_THREADS), 1, 1],
              threads: WIDENING_THREADS,
              stream,
              args: [values, scales, floats, inputs, blockSize, pieces],
            });
            blas.multiply(stream, { x: x.address, weights: floats, y, rows, inputs, outputs });
          });
          if (!isLinear) return;
          const pieces = (rows * outputs) / PIECE;
          kernels.launch('product', 'finish_products', {
            grid: [Math.ceil(pieces / WIDENING_THREADS), 1, 1],
            threads: WIDENING_THREADS,
            stream,
            args: [y, bias, outputs, isRelu, pieces],
          });
          return;
        }
        const columns = COLUMNS.find((each) => rows <= 8 * each) ?? Math.max(...COLUMNS);
        const tiles = [Math.ceil(outputs / OUTPUTS), Math.ceil(rows / (8 * columns))] as const;
        const shares = Math.floor((BLOCKS_AT_ONCE * kernels.multiprocessors) / (tiles[0] * tiles[1]));
        const splits = Math.max(1, Math.min(shares, Math.floor(stretches / PRODUCT_WARPS)));
        kernels.launch('product', `int${bits}_product_${columns}`, {
          grid: [...tiles, splits],
          threads: PRODUCT_WARPS * WARP,
          sharedBytes: FETCHED_BYTES,
          stream,
          args: [x.address, values, scales, bias, y, rows, outputs, inputs, blockSize, isRelu, partials, arrivals],
        });
      };
    },
  };
}
