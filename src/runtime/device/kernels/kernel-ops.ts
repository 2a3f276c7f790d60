/** Operators of decoders' graphs that kernels of our own run on a CUDA card. */
import { at } from '../../../checked-access.js';
import { MOST_PACKED_ROWS } from '../../../planner/price/device-profile.js';
import type { CustomOp } from '../ort/custom-ops.js';
import { MOST_SHARED_BYTES, type CudaKernels } from './cuda-kernels.js';

const WARP = 32;
const ATTENTION_WARPS = 4;

/** Widths of a head that `attention_of_many_*` is compiled for. */
const WIDTHS_OF_MANY: ReadonlySet<number> = new Set([64, 80, 88, 128]);
/** Queries of a warp, and keys that it attends to at once. */
const TILE = 16;
/** As many as two blocks of a multiprocessor have registers for. */
const MOST_WARPS_OF_MANY = 9;

interface AttentionOfMany {
  readonly qkv: bigint;
  readonly bias?: bigint;
  /** Where tokens see what came before them only. */
  readonly cache?: { readonly keys: bigint; readonly values: bigint; readonly lengths: bigint };
  readonly output: bigint;
  readonly batch: number;
  readonly tokens: number;
  readonly heads: number;
  readonly width: number;
  /** Tokens that a row has at most. */
  readonly capacity: number;
  readonly scale: number;
}

/** Of keys and values of one head, in rows of an odd number of 16 bytes. */
function sharedBytesOfMany({ width, capacity }: Pick<AttentionOfMany, 'width' | 'capacity'>): number {
  const eighths = width / 8;
  const rowBytes = 16 * (eighths % 2 === 1 ? eighths : eighths + 1);
  return 2 * Math.ceil(capacity / TILE) * TILE * rowBytes;
}

/** Whether the kernel takes it: fewer tokens are faster one by one. */
const isOfMany = (shape: Pick<AttentionOfMany, 'tokens' | 'width' | 'capacity'>): boolean =>
  shape.tokens >= TILE && WIDTHS_OF_MANY.has(shape.width) && sharedBytesOfMany(shape) <= MOST_SHARED_BYTES;

function attendMany(kernels: CudaKernels, stream: bigint, attention: AttentionOfMany): void {
  const { qkv, bias = 0n, cache, output, batch, tokens, heads, width, capacity, scale } = attention;
  const tiles = Math.ceil(tokens / TILE);
  const rounds = Math.ceil(tiles / MOST_WARPS_OF_MANY);
  const { keys, values, lengths } = cache ?? { keys: 0n, values: 0n, lengths: 0n };
  kernels.launch('attention', `attention_of_many_${width}`, {
    grid: [heads, batch, 1],
    threads: Math.ceil(tiles / rounds) * WARP,
    sharedBytes: sharedBytesOfMany(attention),
    stream,
    args: [qkv, bias, keys, values, lengths, output, tokens, heads, capacity, { float: scale }],
  });
}

/**
 * `CachedAttention(qkv, past key, past value, seqlens) -> (output, present key, present value)`, with inputs as
 * `GroupQueryAttention` has them, and past and present one memory.
 */
const cachedAttention = (kernels: CudaKernels): CustomOp => ({
  name: 'CachedAttention',
  inputs: ['F16', 'F16', 'F16', 'I32'],
  outputs: ['F16', 'F16', 'F16'],
  provider: 'CUDAExecutionProvider',
  kernel: (attributes) => {
    const [heads, scale] = [attributes.int('num_heads'), attributes.float('scale')];
    kernels.prepare('attention');
    return (run) => {
      const [qkv, key, value] = [run.input(0), run.input(1), run.input(2)];
      const lengths = run.input(3);
      const [batch, tokens, width] = [at(qkv.dims, 0), at(qkv.dims, 1), at(qkv.dims, 2) / 3];
      const output = run.output(0, [batch, tokens, width]);
      if (run.output(1, key.dims) !== key.address || run.output(2, value.dims) !== value.address) {
        throw new Error('a cache is not where it was');
      }
      const tasks = batch * heads * tokens;
      if (tasks === 0) return;
      const sizes = { batch, tokens, heads, width: width / heads, capacity: at(key.dims, 2), scale };
      if (isOfMany(sizes)) {
        const cache = { keys: key.address, values: value.address, lengths: lengths.address };
        return attendMany(kernels, run.stream(), { ...sizes, qkv: qkv.address, cache, output });
      }
      kernels.launch('attention', 'cached_attention', {
        grid: [Math.ceil(tasks / ATTENTION_WARPS), 1, 1],
        threads: ATTENTION_WARPS * WARP,
        stream: run.stream(),
        args: [
          qkv.address,
          key.address,
          value.address,
          lengths.address,
          output,
          batch,
          tokens,
          heads,
          width / heads,
          at(key.dims, 2),
          { float: scale },
        ],
      });
    };
  },
});

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

/**
 * `QuantizedProduct(x, values, scales) -> y`, as `MatMulNBits` has them, for any number of rows.
 *
 * More rows than `MOST_PACKED_ROWS` are cuBLAS's, by weights that become halves in memory, once. On an H200 a layer of opt-2.7b in int8
 * takes 79 us for 48 rows, 138 by halves, and 592 for 660 rows, 243 by halves.
 */
function quantizedProduct(kernels: CudaKernels): CustomOp {
  let shared: { readonly partials: bigint; readonly arrivals: bigint } | undefined;
  const sumBytes = (columns: number): number => OUTPUTS * columns * 8 * FLOAT_BYTES;
  const most = BLOCKS_AT_ONCE * kernels.multiprocessors;
  return {
    name: 'QuantizedProduct',
    inputs: ['F16', 'U8', 'F16'],
    outputs: ['F16'],
    provider: 'CUDAExecutionProvider',
    kernel: (attributes) => {
      const [inputs, outputs] = [attributes.int('K'), attributes.int('N')];
      const [bits, blockSize] = [attributes.int('bits'), attributes.int('block_size')];
      if (bits !== 8 && bits !== 4) throw new Error(`no kernel multiplies by weights of ${bits} bits`);
      kernels.prepare('product');
      shared ??= {
        partials: kernels.zeros(most * sumBytes(Math.max(...COLUMNS))),
        arrivals: kernels.zeros(most * FLOAT_BYTES),
      };
      const { partials, arrivals } = shared;
      const blas = kernels.blas();
      const stretches = inputs / STRETCH[bits];
      return (run) => {
        const x = run.input(0);
        const rows = x.dims.slice(0, -1).reduce((product, size) => product * size, 1);
        const y = run.output(0, [...x.dims.slice(0, -1), outputs]);
        if (rows === 0) return;
        const [values, scales] = [run.input(1).address, run.input(2).address];
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
          return;
        }
        const columns = COLUMNS.find((each) => rows <= 8 * each) ?? Math.max(...COLUMNS);
        const tiles = [Math.ceil(outputs / OUTPUTS), Math.ceil(rows / (8 * columns))] as const;
        const shares = Math.floor(most / (tiles[0] * tiles[1]));
        const splits = Math.max(1, Math.min(shares, Math.floor(stretches / PRODUCT_WARPS)));
        kernels.launch('product', `int${bits}_product_${columns}`, {
          grid: [...tiles, splits],
          threads: PRODUCT_WARPS * WARP,
          sharedBytes: FETCHED_BYTES,
          stream,
          args: [x.address, values, scales, y, rows, outputs, inputs, blockSize, partials, arrivals],
        });
      };
    },
  };
}

export const kernelOps = (kernels: CudaKernels): CustomOp[] => [cachedAttention(kernels), quantizedProduct(kernels)];
