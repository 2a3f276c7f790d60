// Attention of one new token of each row.
#ifndef ATTENTION_OF_ONE
#define ATTENTION_OF_ONE

/** What a lane has of 16 keys and values: of two keys every fourth piece of their head, and of four values an eighth. */
template <int EIGHTHS>
struct KeysAndValues {
  static const int WIDE = EIGHTHS / 4, QUADS = EIGHTHS / 8;
  static const bool HAS_REST = EIGHTHS % 4 == 2;
  Quad keys[2][WIDE], values[4][QUADS];
  Pair restOfKeys[2];
  u32 restOfValues[4];

  /** Those that there are not are zeros: a weight of zero would not undo what is no number. */
  __device__ __forceinline__ void read(const u16 *keysOfHead, const u16 *valuesOfHead, int first, int count, int high, int low) {
    const int HEAD = 8 * EIGHTHS;
#pragma unroll
    for (int half = 0; half < 2; half++) {
      const int place = first + half * 8 + high;
      const u16 *key = keysOfHead + place * HEAD;
#pragma unroll
      for (int i = 0; i < WIDE; i++) keys[half][i] = place < count ? *(const Quad *)(key + i * 32 + low * 8) : Quad{0, 0, 0, 0};
      if (HAS_REST) restOfKeys[half] = place < count ? *(const Pair *)(key + WIDE * 32 + low * 4) : Pair{0, 0};
    }
#pragma unroll
    for (int i = 0; i < 4; i++) {
      const int place = first + i / 2 * 8 + low * 2 + i % 2;
      const u16 *value = valuesOfHead + place * HEAD;
#pragma unroll
      for (int quad = 0; quad < QUADS; quad++) values[i][quad] = place < count ? *(const Quad *)(value + quad * 64 + high * 8) : Quad{0, 0, 0, 0};
      if (HAS_REST) restOfValues[i] = place < count ? *(const u32 *)(value + QUADS * 64 + high * 2) : 0;
    }
  }
};

/**
 * A warp makes a head of a row, by products of fragments, in steps of 16 keys. Of scores, the first factor's rows are all the query: lanes of a
 * column have the same scores, as the weights of 16 values are wanted. Of sums, the first factor is the values with rows and columns exchanged,
 * and the second factor's columns are all the weights: lanes of a row have the same sums. Which number of a head is which of a fragment's does
 * not matter where both factors agree: each lane reads 16 bytes at once.
 *
 * As `cachedAttention`, for one token, caches of halves and heads of 64, 80 or 128.
 */
template <int EIGHTHS, bool ACROSS, bool TURNED>
__device__ __forceinline__ void attentionOfOne(const u16 *qkv, const u16 *offset, const u16 *distances, const Angles &angles, u16 *keys,
                                               u16 *values, const int *lengths, u16 *output, int batch, int heads, int capacity,
                                               float scale) {
  typedef KeysAndValues<EIGHTHS> Read;
  const int HEAD = 8 * EIGHTHS;
  const int lane = threadIdx.x % WARP;
  const int task = (int)(blockIdx.x * (blockDim.x / WARP) + threadIdx.x / WARP);
  if (task >= batch * heads) return;
  const int head = task % heads;
  const int row = task / heads;
  const int high = lane / 4;
  const int low = lane % 4;
  const int width = heads * HEAD;
  const u16 *own = qkv + (long long)row * (ACROSS ? 1 : 3) * width + head * HEAD;
  keys += (long long)task * capacity * HEAD;
  values += (long long)task * capacity * HEAD;
  const auto made = [&](int which, int at) -> Quad {
    const u16 *there = own + which * width;
    if (TURNED && which < 2) return turned(there, at, HEAD, angles, lengths[row]);
    const Quad numbers = *(const Quad *)(there + at);
    return offset == nullptr ? numbers : addedQuad(numbers, *(const Quad *)(offset + which * width + head * HEAD + at));
  };
  Quad queries[Read::WIDE];
  Pair rest = {0, 0};
#pragma unroll
  for (int i = 0; i < Read::WIDE; i++) queries[i] = made(0, i * 32 + low * 8);
  if (Read::HAS_REST) {
    const Quad both = made(0, Read::WIDE * 32 + low / 2 * 8);
    rest = low % 2 == 0 ? Pair{both.x, both.y} : Pair{both.z, both.w};
  }
  // Half of the warp writes the new key, the other half its value. All read them as they read the others.
  const int which = lane / 16;
  const int part = lane % 16 < EIGHTHS ? lane % 16 * 8 : 0;
  const Quad fresh = ACROSS ? Quad{0, 0, 0, 0} : made(which + 1, part);
  const int past = lengths[row];
  const int count = past < capacity ? past + 1 : capacity;
  if (!ACROSS) {
    if (past < capacity && lane % 16 < EIGHTHS) *(Quad *)((which == 0 ? keys : values) + past * HEAD + part) = fresh;
    __syncwarp();
  }

  float sums[EIGHTHS / 2][4];
#pragma unroll
  for (int i = 0; i < EIGHTHS / 2; i++)
#pragma unroll
    for (int j = 0; j < 4; j++) sums[i][j] = 0;
  // Of scores in powers of two.
  float greatest = NOTHING, total = 0;
  for (int first = 0; first < count; first += TILE) {
    Read read;
    read.read(keys, values, first, count, high, low);
    float scores[2][4] = {{0, 0, 0, 0}, {0, 0, 0, 0}};
    const auto multiply = [&](int half, u32 a, u32 b, u32 x, u32 y) {
      const u32 left[4] = {a, 0, b, 0}, right[2] = {x, y};
      multiplyAdd(scores[half], left, right);
    };
#pragma unroll
    for (int i = 0; i < Read::WIDE; i++)
#pragma unroll
      for (int half = 0; half < 2; half++) {
        const Quad &key = read.keys[half][i];
        multiply(half, queries[i].x, queries[i].y, key.x, key.y);
        multiply(half, queries[i].z, queries[i].w, key.z, key.w);
      }
    if (Read::HAS_REST)
#pragma unroll
      for (int half = 0; half < 2; half++) multiply(half, rest.x, rest.y, read.restOfKeys[half].x, read.restOfKeys[half].y);
    float top = NOTHING;
#pragma unroll
    for (int i = 0; i < 4; i++) {
      const int place = first + i / 2 * 8 + low * 2 + i % 2;
      float &score = scores[i / 2][i % 2];
      score *= scale * LOG2_E;
      if (distances != nullptr && place < count) score += widened(distances[head * capacity + past - place]) * LOG2_E;
      if (place >= count) score = NOTHING;
      top = fmaxf(top, score);
    }
    top = fmaxf(top, __shfl_xor_sync(ALL_LANES, top, 1));
    top = fmaxf(top, __shfl_xor_sync(ALL_LANES, top, 2));
    if (top > greatest) {
      const float kept = powerOfTwo(greatest - top);
      greatest = top;
      total *= kept;
#pragma unroll
      for (int i = 0; i < EIGHTHS / 2; i++) {
        sums[i][0] *= kept;
        sums[i][2] *= kept;
      }
    }
    u32 weights[2];
#pragma unroll
    for (int half = 0; half < 2; half++) {
      const float even = powerOfTwo(scores[half][0] - greatest), odd = powerOfTwo(scores[half][1] - greatest);
      total += even + odd;
      weights[half] = narrowedPair(even, odd);
    }
    const auto weigh = [&](int pair, u32 a, u32 b, u32 c, u32 d) {
      const u32 exchanged[4] = {__byte_perm(a, b, 0x5410), __byte_perm(a, b, 0x7632), __byte_perm(c, d, 0x5410), __byte_perm(c, d, 0x7632)};
      multiplyAdd(sums[pair], exchanged, weights);
    };
#pragma unroll
    for (int i = 0; i < Read::QUADS; i++) {
      const Quad &a = read.values[0][i], &b = read.values[1][i], &c = read.values[2][i], &d = read.values[3][i];
      weigh(i * 4, a.x, b.x, c.x, d.x);
      weigh(i * 4 + 1, a.y, b.y, c.y, d.y);
      weigh(i * 4 + 2, a.z, b.z, c.z, d.z);
      weigh(i * 4 + 3, a.w, b.w, c.w, d.w);
    }
    if (Read::HAS_REST) weigh(Read::QUADS * 4, read.restOfValues[0], read.restOfValues[1], read.restOfValues[2], read.restOfValues[3]);
  }

  total += __shfl_xor_sync(ALL_LANES, total, 1);
  total += __shfl_xor_sync(ALL_LANES, total, 2);
  const float share = 1 / total;
  const auto pair = [&](int at) -> u32 { return narrowedPair(sums[at][0] * share, sums[at][2] * share); };
  u16 *to = output + (long long)row * width + head * HEAD;
#pragma unroll
  for (int i = 0; i < Read::QUADS; i++)
    if (low == i) *(Quad *)(to + i * 64 + high * 8) = Quad{pair(i * 4), pair(i * 4 + 1), pair(i * 4 + 2), pair(i * 4 + 3)};
  if (Read::HAS_REST && low == Read::QUADS) *(u32 *)(to + Read::QUADS * 64 + high * 2) = pair(Read::QUADS * 4);
}

/** `blocks` at once: as many as leave all numbers in registers, or nearly. */
#define ATTENTION_OF_ONE_TOKEN(name, head, isAcross, blocks)                                                                   \
  KERNEL_OF(128, blocks)                                                                                                       \
  name##_##head(const u16 *qkv, const u16 *offset, const u16 *distances, u16 *keys, u16 *values, const int *lengths,           \
                u16 *output, int batch, int heads, int capacity, float scale) {                                                \
    attentionOfOne<head / 8, isAcross, false>(qkv, offset, distances, Angles(), keys, values, lengths, output, batch, heads,   \
                                              capacity, scale);                                                                \
  }

ATTENTION_OF_ONE_TOKEN(attention_of_one, 64, false, 7)
ATTENTION_OF_ONE_TOKEN(attention_of_one, 80, false, 4)
ATTENTION_OF_ONE_TOKEN(attention_of_one, 128, false, 3)
ATTENTION_OF_ONE_TOKEN(cross_attention_of_one, 64, true, 7)

#define ROTARY_ATTENTION_OF_ONE_TOKEN(head, blocks)                                                                            \
  KERNEL_OF(128, blocks)                                                                                                       \
  rotary_attention_of_one_##head(const u16 *qkv, const u16 *offset, const u16 *distances, u16 *keys, u16 *values,              \
                                 const int *lengths, u16 *output, int batch, int heads, int capacity, float scale,             \
                                 const u16 *cosines, const u16 *sines) {                                                       \
    attentionOfOne<head / 8, false, true>(qkv, offset, distances, Angles{cosines, sines}, keys, values, lengths, output,       \
                                          batch, heads, capacity, scale);                                                      \
  }

ROTARY_ATTENTION_OF_ONE_TOKEN(64, 7)
ROTARY_ATTENTION_OF_ONE_TOKEN(128, 3)

#endif
