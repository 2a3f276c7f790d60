/** Attention by kernels of our own on a CUDA card. */
import { at } from '../../../checked-access.js';
import type { CustomOp } from '../ort/custom-ops.js';
import { isOfMany, sharedBytesOfMany, TILE, type TokensOfHead } from './attention-of-many.js';
import type { CudaKernels } from './cuda-kernels.js';

const WARP = 32;
const ATTENTION_WARPS = 4;

/** As many as two blocks of a multiprocessor have registers for. */
const MOST_WARPS_OF_MANY = 9;

interface AttentionOfMany extends TokensOfHead {
  readonly qkv: bigint;
  readonly bias?: bigint;
  /** Where tokens see what came before them only. */
  readonly cache?: { readonly keys: bigint; readonly values: bigint; readonly lengths: bigint };
  readonly output: bigint;
  readonly batch: number;
  readonly heads: number;
  readonly scale: number;
}

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
 * `GroupQueryAttention` has them, and past and present one memory. `QuantizedCachedAttention`: the same over caches of bytes,
 * `[batch, heads, capacity, headSize + 2]`, of which each head has integers first and then their scales.
 */
export const cachedAttention = (kernels: CudaKernels, dtype: 'F16' | 'U8'): CustomOp => ({
  name: dtype === 'U8' ? 'QuantizedCachedAttention' : 'CachedAttention',
  inputs: ['F16', dtype, dtype, 'I32'],
  outputs: ['F16', dtype, dtype],
  provider: 'CUDAExecutionProvider',
  kernel: (attributes) => {
    const [heads, scale] = [attributes.int('num_heads'), attributes.float('scale')];
    kernels.prepare('attention');
    return (run) => {
      const [qkv, key, value] = [run.input(0), run.input(1), run.input(2)];
      const lengths = run.input(3);
      const { dims } = qkv;
      const [batch, tokens, width] = [at(dims, 0), at(dims, 1), at(dims, 2) / 3];
      const output = run.output(0, [batch, tokens, width]);
      // Both caches have one shape.
      const { dims: cached } = key;
      if (run.output(1, cached) !== key.address || run.output(2, cached) !== value.address) {
        throw new Error('a cache is not where it was');
      }
      const tasks = batch * heads * tokens;
      if (tasks === 0) return;
      const sizes = { batch, tokens, heads, width: width / heads, capacity: at(cached, 2), scale };
      if (dtype === 'F16' && isOfMany(sizes)) {
        const cache = { keys: key.address, values: value.address, lengths: lengths.address };
        return attendMany(kernels, run.stream(), { ...sizes, qkv: qkv.address, cache, output });
      }
      kernels.launch('attention', dtype === 'U8' ? 'int8_cached_attention' : 'cached_attention', {
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
          at(cached, 2),
          { float: scale },
        ],
      });
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
      attendMany(kernels, run.stream(), { ...sizes, qkv: qkv.address, bias, output });
    };
  },
});
