/** Attention by kernels of our own on a CUDA card. */
import { at } from '../../../checked-access.js';
import type { CustomOp, OpTensor } from '../ort/custom-ops.js';
import { isAcross, isOfMany, sharedBytesOfMany, TILE, type TokensOfHead } from './attention-of-many.js';
import type { CudaKernels } from './cuda-kernels.js';

const WARP = 32;
const ATTENTION_WARPS = 4;

/** As many as two blocks of a multiprocessor have registers for. */
const MOST_WARPS_OF_MANY = 9;

/** Cosines and sines of every position, `[positions, width / 2]`, of heads that are turned by them. */
type Angles = readonly [cosines: bigint, sines: bigint];

interface AttentionOfMany extends TokensOfHead {
  readonly qkv: bigint;
  /** Added to it, `[3, heads, width]`. */
  readonly offset?: bigint;
  /** Where tokens see what came before them only. */
  readonly cache?: { readonly keys: bigint; readonly values: bigint; readonly lengths: bigint };
  readonly angles?: Angles;
  readonly output: bigint;
  readonly batch: number;
  readonly heads: number;
  readonly scale: number;
}

function attendMany(kernels: CudaKernels, stream: bigint, attention: AttentionOfMany): void {
  const { qkv, offset = 0n, cache, angles = [], output, batch, tokens, heads, width, capacity, scale } = attention;
  const tiles = Math.ceil(tokens / TILE);
  const rounds = Math.ceil(tiles / MOST_WARPS_OF_MANY);
  const { keys, values, lengths } = cache ?? { keys: 0n, values: 0n, lengths: 0n };
  kernels.launch('attention', `${angles.length > 0 ? 'rotary_' : ''}attention_of_many_${width}`, {
    grid: [heads, batch, 1],
    threads: Math.ceil(tiles / rounds) * WARP,
    sharedBytes: sharedBytesOfMany(attention),
    stream,
    args: [qkv, offset, keys, values, lengths, output, tokens, heads, capacity, { float: scale }, ...angles],
  });
}

type CacheKernel = 'cached_attention' | 'int8_cached_attention' | 'rotary_cached_attention' | 'cross_attention';

/** Kernels for a single new token of a row, and the widths of a head that each is compiled for: see `attention-of-one.cuh`. */
const OF_ONE: Partial<Record<CacheKernel, { readonly name: string; readonly widths: readonly number[] }>> = {
  cached_attention: { name: 'attention_of_one', widths: [64, 80, 128] },
  rotary_cached_attention: { name: 'rotary_attention_of_one', widths: [64, 128] },
  cross_attention: { name: 'cross_attention_of_one', widths: [64] },
};

interface AttentionToCache {
  readonly kernel: CacheKernel;
  /** Of new tokens: queries, keys and values, or queries alone. */
  readonly made: bigint;
  /** Added to them, `[3, heads, width]`. */
  readonly offset?: bigint;
  /** Added to scores by distance, `[heads, capacity]`. */
  readonly distances?: bigint;
  readonly angles?: Angles;
  readonly keys: OpTensor;
  readonly values: OpTensor;
  readonly lengths: bigint;
  readonly output: bigint;
  readonly batch: number;
  readonly tokens: number;
  /** Of all heads. */
  readonly width: number;
  readonly scale: number;
}

function attendToCache(kernels: CudaKernels, stream: bigint, attention: AttentionToCache): void {
  const { kernel, made, offset = 0n, distances = 0n, angles = [], keys, values, lengths, output } = attention;
  const { batch, tokens, width, scale } = attention;
  const [heads, capacity] = [at(keys.dims, 1), at(keys.dims, 2)];
  const ofOne = tokens === 1 && OF_ONE[kernel]?.widths.includes(width / heads) === true ? OF_ONE[kernel] : undefined;
  const operands = [made, offset, distances, keys.address, values.address, lengths, output];
  const sizes = ofOne === undefined ? [batch, tokens, heads, width / heads, capacity] : [batch, heads, capacity];
  kernels.launch('attention', ofOne === undefined ? kernel : `${ofOne.name}_${width / heads}`, {
    grid: [Math.ceil((batch * heads * tokens) / ATTENTION_WARPS), 1, 1],
    threads: ATTENTION_WARPS * WARP,
    stream,
    args: [...operands, ...sizes, { float: scale }, ...angles],
  });
}

const CACHED = {
  CachedAttention: { dtype: 'F16', kernel: 'cached_attention', more: [] },
  OffsetCachedAttention: { dtype: 'F16', kernel: 'cached_attention', more: ['F16'] },
  BiasedCachedAttention: { dtype: 'F16', kernel: 'cached_attention', more: ['F16'] },
  RotaryCachedAttention: { dtype: 'F16', kernel: 'rotary_cached_attention', more: ['F16', 'F16'] },
  QuantizedCachedAttention: { dtype: 'U8', kernel: 'int8_cached_attention', more: [] },
  OffsetQuantizedCachedAttention: { dtype: 'U8', kernel: 'int8_cached_attention', more: ['F16'] },
} as const;

type CachedName = keyof typeof CACHED;

/** What an operator has beside queries, keys, values, caches and lengths. */
function moreOf(name: CachedName, input: (index: number) => bigint) {
  switch (name) {
    case 'OffsetCachedAttention':
    case 'OffsetQuantizedCachedAttention':
      return { offset: input(4) };
    case 'BiasedCachedAttention':
      return { distances: input(4) };
    case 'RotaryCachedAttention':
      return { angles: [input(4), input(5)] as const };
    default:
      return {};
  }
}

/**
 * `CachedAttention(qkv, past key, past value, seqlens) -> (output, present key, present value)`, with inputs as
 * `GroupQueryAttention` has them, and past and present one memory. `QuantizedCachedAttention`: the same over caches of bytes,
 * `[batch, heads, capacity, headSize + 2]`, of which each head has integers first and then their scales. `Offset...` adds a fifth input to qkv
 * before, the bias of the product that made it. `BiasedCachedAttention` adds a
 * fifth input to the scores, `[heads, capacity]` by how far a key is behind its query; `RotaryCachedAttention` turns queries and keys by their
 * positions, of which two more inputs are cosines and sines, `[positions, headSize / 2]`.
 */
export const cachedAttention = (kernels: CudaKernels, name: CachedName): CustomOp => ({
  name,
  inputs: ['F16', CACHED[name].dtype, CACHED[name].dtype, 'I32', ...CACHED[name].more],
  outputs: ['F16', CACHED[name].dtype, CACHED[name].dtype],
  provider: 'CUDAExecutionProvider',
  kernel: (attributes) => {
    const [heads, scale] = [attributes.int('num_heads'), attributes.float('scale')];
    const { dtype, kernel } = CACHED[name];
    kernels.prepare('attention');
    return (run) => {
      const [qkv, keys, values] = [run.input(0), run.input(1), run.input(2)];
      const lengths = run.input(3).address;
      const more = moreOf(name, (index) => run.input(index).address);
      const { dims } = qkv;
      const [batch, tokens, width] = [at(dims, 0), at(dims, 1), at(dims, 2) / 3];
      const output = run.output(0, [batch, tokens, width]);
      // Both caches have one shape.
      const { dims: cached } = keys;
      if (run.output(1, cached) !== keys.address || run.output(2, cached) !== values.address) {
        throw new Error('a cache is not where it was');
      }
      if (batch * tokens === 0) return;
      const sizes = { batch, tokens, heads, width: width / heads, capacity: at(cached, 2), scale };
      if (dtype === 'F16' && more.distances === undefined && isOfMany(sizes)) {
        const cache = { keys: keys.address, values: values.address, lengths };
        return attendMany(kernels, run.stream(), { ...sizes, ...more, qkv: qkv.address, cache, output });
      }
      const attention = { kernel, made: qkv.address, ...more, keys, values, lengths, output };
      attendToCache(kernels, run.stream(), { ...attention, batch, tokens, width, scale });
    };
  },
});

/**
 * `CrossAttention(queries, keys, values, lengths) -> output`: queries and output `[batch, tokens, heads * headSize]`, keys and values
 * `[batch, heads, capacity, headSize]`, of which each row's queries see as many as `lengths` says and one.
 */
export const crossAttention = (kernels: CudaKernels): CustomOp => ({
  name: 'CrossAttention',
  inputs: ['F16', 'F16', 'F16', 'I32'],
  outputs: ['F16'],
  provider: 'CUDAExecutionProvider',
  kernel: (attributes) => {
    const scale = attributes.float('scale');
    kernels.prepare('attention');
    return (run) => {
      const [queries, keys, values] = [run.input(0), run.input(1), run.input(2)];
      const { dims } = queries;
      const [batch, tokens, width] = [at(dims, 0), at(dims, 1), at(dims, 2)];
      const output = run.output(0, dims);
      if (batch * tokens === 0) return;
      const lengths = run.input(3).address;
      const sizes = { batch, tokens, width, scale };
      const attention = { ...sizes, made: queries.address, keys, values, lengths, output };
      attendToCache(kernels, run.stream(), { ...attention, kernel: 'cross_attention' });
    };
  },
});

/**
 * `PackedAttention(qkv, bias) -> output` of tokens that all see each other: qkv `[batch, tokens, 3 * heads * width]`, whose bias is added
 * before, output `[batch, tokens, heads * width]`. Only of what `isOfMany`.
 */
export const packedAttention = (kernels: CudaKernels): CustomOp => ({
  name: 'PackedAttention',
  inputs: ['F16', 'F16'],
  outputs: ['F16'],
  provider: 'CUDAExecutionProvider',
  kernel: (attributes) => {
    const [heads, scale] = [attributes.int('num_heads'), attributes.float('scale')];
    kernels.prepare('attention');
    return (run) => {
      const [qkv, bias] = [run.input(0), run.input(1).address];
      const { dims } = qkv;
      const [batch, tokens, width] = [at(dims, 0), at(dims, 1), at(dims, 2) / 3];
      const output = run.output(0, [batch, tokens, width]);
      if (batch * tokens === 0) return;
      const sizes = { batch, tokens, heads, width: width / heads, capacity: tokens, scale };
      if (!isOfMany(sizes)) throw new Error(`no kernel attends to ${tokens} tokens in heads of ${sizes.width}`);
      attendMany(kernels, run.stream(), { ...sizes, qkv: qkv.address, offset: bias, output });
    };
  },
});

/** Warps that read a picture's keys together, whether or not there are queries for all of them. */
const WARPS_OF_PICTURE = 8;

/**
 * `PictureAttention(queries, memory, bias) -> output`: queries and output `[batch, tokens, heads * width]`, memory `[batch, seen, 2 * heads * width]`
 * of keys and values, all of which each query sees; bias `[3 * heads * width]` of queries, keys and values, added before. Only where `isAcross`.
 */
export const pictureAttention = (kernels: CudaKernels): CustomOp => ({
  name: 'PictureAttention',
  inputs: ['F16', 'F16', 'F16'],
  outputs: ['F16'],
  provider: 'CUDAExecutionProvider',
  kernel: (attributes) => {
    const [heads, scale] = [attributes.int('num_heads'), attributes.float('scale')];
    kernels.prepare('attention');
    return (run) => {
      const [queries, memory, bias] = [run.input(0), run.input(1), run.input(2).address];
      const { dims } = queries;
      const [batch, tokens, width, seen] = [at(dims, 0), at(dims, 1), at(dims, 2) / heads, at(memory.dims, 1)];
      const output = run.output(0, dims);
      if (batch * tokens === 0) return;
      if (!isAcross(width, seen)) throw new Error(`no kernel attends to ${seen} tokens in heads of ${width}`);
      kernels.launch('attention', `attention_to_picture_${width}`, {
        grid: [heads, batch, 1],
        threads: WARPS_OF_PICTURE * WARP,
        sharedBytes: sharedBytesOfMany({ width, capacity: seen }),
        stream: run.stream(),
        args: [queries.address, bias, memory.address, output, tokens, heads, seen, { float: scale }],
      });
    };
  },
});
