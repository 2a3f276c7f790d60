#include "halves.cuh"
#include "heads.cuh"
#include "attention-of-one.cuh"

__device__ __forceinline__ float ofGroup(float value, int lane) { return __shfl_sync(ALL_LANES, value, lane); }

/** The larger, or what is not a number: fmaxf would hide it. */
__device__ __forceinline__ float largerOf(float a, float b) { return a != a || b <= a ? a : b; }

/**
 * Caches of halves, or of integers: behind the tokens of a head, 8 bits an element less 128, follow their scales, a half each.
 * `capacity` is a multiple of 4 there, so that 8 bytes are read at once.
 */
template <bool QUANTIZED>
struct Cache {
  u8 *head;
  int headSize, capacity, part;

  static __device__ __forceinline__ long long headBytes(int headSize, int capacity) {
    return (long long)capacity * (QUANTIZED ? headSize + 2 : 2 * headSize);
  }
  __device__ __forceinline__ u8 *of(int token) const {
    return head + ((long long)token * headSize + part * 8) * (QUANTIZED ? 1 : 2);
  }
  __device__ __forceinline__ u16 *scale(int token) const { return (u16 *)(head + (long long)capacity * headSize) + token; }
};

/** What a lane has of a key or a value: eight halves, or eight integers with their scale. */
struct Eight {
  Quad bits;
  u16 scale;
  bool isQuantized;
};

/** @return the factor of the numbers */
template <bool QUANTIZED>
__device__ __forceinline__ float unpacked(const Eight &eight, float numbers[8]) {
  if (QUANTIZED && eight.isQuantized) {
    const u32 words[2] = {eight.bits.x, eight.bits.y};
#pragma unroll
    for (int i = 0; i < 8; i++)
      numbers[i] = __int_as_float(__byte_perm(words[i / 4], 0x4b000000u, 0x7540 + i % 4)) - 8388736.0f;
    return widened(eight.scale);
  }
  const u32 words[4] = {eight.bits.x, eight.bits.y, eight.bits.z, eight.bits.w};
#pragma unroll
  for (int i = 0; i < 4; i++) {
    numbers[2 * i] = widened((u16)words[i]);
    numbers[2 * i + 1] = widened((u16)(words[i] >> 16));
  }
  return 1;
}

/** Writes the key or value of a new token, of which the lanes of a group have eight halves each. All lanes of the warp call it. */
template <bool QUANTIZED>
__device__ __forceinline__ void keep(const Cache<QUANTIZED> &cache, int token, const Quad &made, int lanes, bool writes) {
  if (!QUANTIZED) {
    if (writes) *(Quad *)cache.of(token) = made;
    return;
  }
  float numbers[8];
  unpacked<false>(Eight{made, 0, false}, numbers);
  float greatest = 0;
#pragma unroll
  for (int i = 0; i < 8; i++) greatest = largerOf(greatest, fabsf(numbers[i]));
#pragma unroll
  for (int far = 16; far > 0; far /= 2) {
    const float other = __shfl_down_sync(ALL_LANES, greatest, far);
    if (cache.part < far && cache.part + far < lanes) greatest = largerOf(greatest, other);
  }
  greatest = ofGroup(greatest, threadIdx.x % WARP - cache.part);
  if (!writes) return;
  const u16 scale = narrowed(greatest / 127.0f);
  const float size = widened(scale);
  u32 words[2] = {0, 0};
#pragma unroll
  for (int i = 0; i < 8; i++) {
    const float whole = size > 0 ? fminf(fmaxf(rintf(numbers[i] / size), -127.0f), 127.0f) : 0.0f;
    words[i / 4] |= (u32)((int)whole + 128) << 8 * (i % 4);
  }
  *(u32 *)cache.of(token) = words[0];
  *(u32 *)(cache.of(token) + 4) = words[1];
  if (cache.part == 0) *cache.scale(token) = scale;
}

/**
 * Attention of new tokens to a cache that has room for `capacity` tokens, and to themselves, causally; their keys and values are
 * written into the cache. A warp makes one head of one new token: groups of `headSize / 8` lanes read a key or a value each, 16 bytes a
 * lane, and have a softmax of their own, which are joined at the end.
 *
 * qkv [batch, tokens, 3, heads, headSize], keys and values [batch, heads, capacity, headSize], output [batch, tokens, heads, headSize],
 * all float16 but for quantised caches, which new tokens of a run do not read of each other; lengths [batch], of each row with its new
 * tokens, less one. headSize is a multiple of 8, 256 at most.
 *
 * `offset` [3, heads, headSize], where there is one, is added to queries, keys and values, and `distances` [heads, capacity] to scores, by
 * how far a key is behind its query. Where tokens are across from
 * the cache, which others have made, qkv is queries alone, [batch, tokens, heads, headSize], and each sees all of its row's `lengths`
 * and one. With angles, queries and new keys are turned by their positions.
 */
template <bool QUANTIZED, bool ACROSS, bool TURNED>
__device__ __forceinline__ void cachedAttention(const u16 *qkv, const u16 *offset, const u16 *distances, const Angles &angles, u8 *keys, u8 *values, const int *lengths, u16 *output,
                                                int batch, int tokens, int heads, int headSize, int capacity, float scale) {
  const int lane = threadIdx.x % WARP;
  const long long task = (long long)blockIdx.x * (blockDim.x / WARP) + threadIdx.x / WARP;
  if (task >= (long long)batch * heads * tokens) return;
  const int token = (int)(task % tokens);
  const int head = (int)(task / tokens % heads);
  const int row = (int)(task / tokens / heads);

  const int lanes = headSize / 8;
  const int groups = WARP / lanes;
  const int group = lane / lanes;
  const int part = lane % lanes;
  const bool works = group < groups;
  const int width = heads * headSize;
  const int stride = ACROSS ? width : 3 * width;
  const int past = lengths[row] + 1 - (ACROSS ? 0 : tokens);
  const int count = ACROSS ? past : past + token + 1;

  const u16 *own = qkv + (long long)row * tokens * stride + head * headSize + part * 8;
  const long long before = ((long long)row * heads + head) * Cache<QUANTIZED>::headBytes(headSize, capacity);
  const Cache<QUANTIZED> keyCache = {keys + before, headSize, capacity, part};
  const Cache<QUANTIZED> valueCache = {values + before, headSize, capacity, part};
  const auto made = [&](int newToken, int which) -> Quad {
    const u16 *there = own + (long long)newToken * stride + which * width;
    if (TURNED && which < 2) return turned(there - part * 8, part * 8, headSize, angles, past + newToken);
    const Quad numbers = *(const Quad *)there;
    return offset == nullptr ? numbers : addedQuad(numbers, *(const Quad *)(offset + which * width + head * headSize + part * 8));
  };
  float query[8];
  {
    const Quad q = made(token, 0);
    const u32 packed[4] = {q.x, q.y, q.z, q.w};
#pragma unroll
    for (int i = 0; i < 4; i++) {
      query[2 * i] = widened((u16)packed[i]) * scale;
      query[2 * i + 1] = widened((u16)(packed[i] >> 16)) * scale;
    }
  }
  if (!ACROSS) {
    const bool writes = group == 0 && past + token < capacity;
    keep(keyCache, past + token, made(token, 1), lanes, writes);
    keep(valueCache, past + token, made(token, 2), lanes, writes);
  }

  float greatest = NOTHING;
  float total = 0;
  float sum[8] = {0, 0, 0, 0, 0, 0, 0, 0};
  const int AHEAD = 4;
  for (int first = 0; first < count; first += groups * AHEAD) {
    Eight key[AHEAD], value[AHEAD];
#pragma unroll
    for (int i = 0; i < AHEAD; i++) {
      const int place = first + i * groups + group;
      key[i] = value[i] = Eight{Quad{0, 0, 0, 0}, 0, false};
      if (!works || place >= count) continue;
      if (QUANTIZED && place < past) {
        const Pair k = *(const Pair *)keyCache.of(place), v = *(const Pair *)valueCache.of(place);
        key[i] = Eight{Quad{k.x, k.y, 0, 0}, *keyCache.scale(place), true};
        value[i] = Eight{Quad{v.x, v.y, 0, 0}, *valueCache.scale(place), true};
        continue;
      }
      key[i].bits = place < past ? *(const Quad *)keyCache.of(place) : made(place - past, 1);
      value[i].bits = place < past ? *(const Quad *)valueCache.of(place) : made(place - past, 2);
    }
#pragma unroll
    for (int i = 0; i < AHEAD; i++) {
      if (first + i * groups >= count) break;
      const int place = first + i * groups + group;
      float numbers[8];
      const float keyScale = unpacked<QUANTIZED>(key[i], numbers);
      float score = 0;
#pragma unroll
      for (int j = 0; j < 8; j++) score += query[j] * numbers[j];
      if (QUANTIZED) score *= keyScale;
#pragma unroll
      for (int far = 16; far > 0; far /= 2) {
        const float other = __shfl_down_sync(ALL_LANES, score, far);
        if (part < far && part + far < lanes) score += other;
      }
      score = ofGroup(score, works ? group * lanes : lane);
      if (!works || place >= count) continue;
      if (distances != nullptr) score += widened(distances[head * capacity + past + token - place]);
      const float top = fmaxf(greatest, score);
      // Where a score is not a number nothing may hide it: fmaxf would.
      const float kept = greatest == NOTHING ? 0.0f : __expf(greatest - top);
      const float weight = __expf(score - top);
      greatest = top;
      total = total * kept + weight;
      const float valueScale = unpacked<QUANTIZED>(value[i], numbers);
      const float share = QUANTIZED ? weight * valueScale : weight;
#pragma unroll
      for (int j = 0; j < 8; j++) sum[j] = sum[j] * kept + share * numbers[j];
    }
  }

  // The groups' softmaxes as one: in the first group.
  float top = greatest;
  for (int other = 0; other < groups; other++) top = fmaxf(top, ofGroup(greatest, other * lanes));
  const float kept = greatest == NOTHING ? 0.0f : __expf(greatest - top);
  float all = 0;
  float joined[8] = {0, 0, 0, 0, 0, 0, 0, 0};
  for (int other = 0; other < groups; other++) {
    const int from = other * lanes + part;
    all += ofGroup(total * kept, from % WARP);
#pragma unroll
    for (int j = 0; j < 8; j++) joined[j] += ofGroup(sum[j] * kept, from % WARP);
  }
  if (group != 0) return;
  u32 packed[4];
#pragma unroll
  for (int j = 0; j < 4; j++)
    packed[j] = narrowed(joined[2 * j] / all) | (u32)narrowed(joined[2 * j + 1] / all) << 16;
  *(Quad *)(output + ((long long)row * tokens + token) * width + head * headSize + part * 8) =
      Quad{packed[0], packed[1], packed[2], packed[3]};
}

KERNEL cached_attention(const u16 *qkv, const u16 *offset, const u16 *distances, u8 *keys, u8 *values, const int *lengths, u16 *output,
                        int batch, int tokens, int heads, int headSize, int capacity, float scale) {
  cachedAttention<false, false, false>(qkv, offset, distances, Angles(), keys, values, lengths, output, batch, tokens, heads, headSize,
                                       capacity, scale);
}

KERNEL int8_cached_attention(const u16 *qkv, const u16 *offset, const u16 *distances, u8 *keys, u8 *values, const int *lengths,
                             u16 *output, int batch, int tokens, int heads, int headSize, int capacity, float scale) {
  cachedAttention<true, false, false>(qkv, offset, distances, Angles(), keys, values, lengths, output, batch, tokens, heads, headSize,
                                      capacity, scale);
}

KERNEL cross_attention(const u16 *queries, const u16 *offset, const u16 *distances, u8 *keys, u8 *values, const int *lengths, u16 *output,
                       int batch, int tokens, int heads, int headSize, int capacity, float scale) {
  cachedAttention<false, true, false>(queries, offset, distances, Angles(), keys, values, lengths, output, batch, tokens, heads, headSize,
                                      capacity, scale);
}

KERNEL rotary_cached_attention(const u16 *qkv, const u16 *offset, const u16 *distances, u8 *keys, u8 *values, const int *lengths,
                               u16 *output, int batch, int tokens, int heads, int headSize, int capacity, float scale, const u16 *cosines,
                               const u16 *sines) {
  cachedAttention<false, false, true>(qkv, offset, distances, Angles{cosines, sines}, keys, values, lengths, output, batch, tokens, heads,
                                      headSize, capacity, scale);
}

#include "attention-of-many.cuh"
