#include "halves.cuh"

__device__ __forceinline__ float ofGroup(float value, int lane) { return __shfl_sync(ALL_LANES, value, lane); }

/**
 * Attention of new tokens to a cache that has room for `capacity` tokens, and to themselves, causally; their keys and values are
 * written into the cache. A warp makes one head of one new token: groups of `headSize / 8` lanes read a key or a value each, 16 bytes a
 * lane, and have a softmax of their own, which are joined at the end.
 *
 * qkv [batch, tokens, 3, heads, headSize], keys and values [batch, heads, capacity, headSize], output [batch, tokens, heads, headSize],
 * all float16; lengths [batch], of each row with its new tokens, less one. headSize is a multiple of 8, 256 at most.
 */
KERNEL cached_attention(const u16 *qkv, u16 *keys, u16 *values, const int *lengths, u16 *output, int batch, int tokens, int heads,
                        int headSize, int capacity, float scale) {
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
  const int past = lengths[row] + 1 - tokens;
  const int count = past + token + 1;

  const u16 *own = qkv + (long long)row * tokens * 3 * width + head * headSize + part * 8;
  const long long cached = ((long long)row * heads + head) * capacity * headSize + part * 8;
  float query[8];
  {
    const Quad q = *(const Quad *)(own + (long long)token * 3 * width);
    const u32 packed[4] = {q.x, q.y, q.z, q.w};
#pragma unroll
    for (int i = 0; i < 4; i++) {
      query[2 * i] = widened((u16)packed[i]) * scale;
      query[2 * i + 1] = widened((u16)(packed[i] >> 16)) * scale;
    }
  }
  if (group == 0 && past + token < capacity) {
    const u16 *made = own + (long long)token * 3 * width;
    *(Quad *)(keys + cached + (long long)(past + token) * headSize) = *(const Quad *)(made + width);
    *(Quad *)(values + cached + (long long)(past + token) * headSize) = *(const Quad *)(made + 2 * width);
  }

  float greatest = NOTHING;
  float total = 0;
  float sum[8] = {0, 0, 0, 0, 0, 0, 0, 0};
  const int AHEAD = 4;
  for (int first = 0; first < count; first += groups * AHEAD) {
    Quad key[AHEAD], value[AHEAD];
#pragma unroll
    for (int i = 0; i < AHEAD; i++) {
      const int place = first + i * groups + group;
      key[i] = value[i] = Quad{0, 0, 0, 0};
      if (!works || place >= count) continue;
      const u16 *made = own + (long long)(place - past) * 3 * width;
      const long long there = cached + (long long)place * headSize;
      key[i] = *(const Quad *)(place < past ? keys + there : made + width);
      value[i] = *(const Quad *)(place < past ? values + there : made + 2 * width);
    }
#pragma unroll
    for (int i = 0; i < AHEAD; i++) {
      if (first + i * groups >= count) break;
      const int place = first + i * groups + group;
      const u32 k[4] = {key[i].x, key[i].y, key[i].z, key[i].w};
      float score = 0;
#pragma unroll
      for (int j = 0; j < 4; j++) {
        score += query[2 * j] * widened((u16)k[j]);
        score += query[2 * j + 1] * widened((u16)(k[j] >> 16));
      }
#pragma unroll
      for (int far = 16; far > 0; far /= 2) {
        const float other = __shfl_down_sync(ALL_LANES, score, far);
        if (part < far && part + far < lanes) score += other;
      }
      score = ofGroup(score, works ? group * lanes : lane);
      if (!works || place >= count) continue;
      const float top = fmaxf(greatest, score);
      // Where a score is not a number nothing may hide it: fmaxf would.
      const float kept = greatest == NOTHING ? 0.0f : __expf(greatest - top);
      const float weight = __expf(score - top);
      greatest = top;
      total = total * kept + weight;
      const u32 v[4] = {value[i].x, value[i].y, value[i].z, value[i].w};
#pragma unroll
      for (int j = 0; j < 4; j++) {
        sum[2 * j] = sum[2 * j] * kept + weight * widened((u16)v[j]);
        sum[2 * j + 1] = sum[2 * j + 1] * kept + weight * widened((u16)(v[j] >> 16));
      }
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
