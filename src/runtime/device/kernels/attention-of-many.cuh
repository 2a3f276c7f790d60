// Attention of many new tokens of each row, or of a whole picture.
#ifndef ATTENTION_OF_MANY_TOKENS
#define ATTENTION_OF_MANY_TOKENS

/** How many powers of two a weight may be above 1 before the greatest score so far is looked for again. */
#define SLACK 8.0f

/** Whose keys tokens see: their own, caches' as well, or a picture's, of another number of tokens. */
enum Seen { OWN_KEYS, TURNED_KEYS, PICTURE_KEYS };

/**
 * Attention of many new tokens, by products of fragments. A block makes a head of a row: its keys and values lie in shared memory, and
 * each warp makes 16 queries after 16, by all keys in steps of 16.
 *
 * qkv as above, plus `bias` [3, heads, headSize] where there is one, in float16. With `lengths`, tokens see what came before them, there
 * are caches as above, and all keys of a row have room; else all tokens see each other. Of a picture `qkv` has the queries alone, and `keys`
 * [batch, capacity, 2, heads, headSize] its keys and values.
 */
template <int EIGHTHS, Seen SEEN>
__device__ __forceinline__ void attentionOfMany(const u16 *qkv, const u16 *bias, const Angles &angles, u16 *keys, u16 *values, const int *lengths,
                                                u16 *output, int tokens, int heads, int capacity, float scale, u8 *shared) {
  const bool TURNED = SEEN == TURNED_KEYS;
  const bool isAcross = SEEN == PICTURE_KEYS;
  const int HEAD = 8 * EIGHTHS;
  // An odd number of 16 bytes: rows that are read together are in different banks.
  const int STRIDE = EIGHTHS % 2 == 1 ? HEAD : HEAD + 8;
  const int STEPS = EIGHTHS / 2;
  const bool hasRest = EIGHTHS % 2 == 1;
  const int lane = threadIdx.x % WARP;
  const int warp = threadIdx.x / WARP;
  const int head = blockIdx.x;
  const int row = blockIdx.y;
  const int width = heads * HEAD;
  const bool isCausal = !isAcross && lengths != nullptr;
  const int past = isCausal ? lengths[row] + 1 - tokens : 0;
  const int count = isAcross ? capacity : past + tokens;
  const int padded = (count + TILE - 1) / TILE * TILE;
  u16 *sharedKeys = (u16 *)shared;
  u16 *sharedValues = sharedKeys + padded * STRIDE;
  const int queryStride = isAcross ? width : 3 * width;
  const int keyStride = isAcross ? 2 * width : 3 * width;
  const u16 *own = qkv + (long long)row * tokens * queryStride + head * HEAD;
  const u16 *ownKeys = isAcross ? keys + (long long)row * count * keyStride + head * HEAD : own + width;
  const long long cached = ((long long)row * heads + head) * capacity * HEAD;

  const int AHEAD = 4;
  for (int first = threadIdx.x; first < padded * EIGHTHS; first += blockDim.x * AHEAD) {
    Quad key[AHEAD], value[AHEAD];
#pragma unroll
    for (int i = 0; i < AHEAD; i++) {
      const int piece = first + i * blockDim.x;
      const int place = piece / EIGHTHS;
      const int part = piece % EIGHTHS * 8;
      key[i] = value[i] = Quad{0, 0, 0, 0};
      if (place >= count) continue;
      const u16 *made = ownKeys + (long long)(place - past) * keyStride + part;
      const long long there = cached + (long long)place * HEAD + part;
      key[i] = TURNED && place >= past ? turned(made - part, part, HEAD, angles, place)
                                       : *(const Quad *)(place < past ? keys + there : made);
      value[i] = *(const Quad *)(place < past ? values + there : made + width);
    }
#pragma unroll
    for (int i = 0; i < AHEAD; i++) {
      const int piece = first + i * blockDim.x;
      const int place = piece / EIGHTHS;
      const int part = piece % EIGHTHS * 8;
      if (place >= padded) continue;
      if (bias != nullptr && place >= past && place < count) {
        const Quad k = *(const Quad *)(bias + width + head * HEAD + part);
        const Quad v = *(const Quad *)(bias + 2 * width + head * HEAD + part);
        key[i] = addedQuad(key[i], k);
        value[i] = addedQuad(value[i], v);
      }
      *(Quad *)(sharedKeys + place * STRIDE + part) = key[i];
      *(Quad *)(sharedValues + place * STRIDE + part) = value[i];
      if (!isCausal || place < past || place >= count || place >= capacity) continue;
      *(Quad *)(keys + cached + (long long)place * HEAD + part) = key[i];
      *(Quad *)(values + cached + (long long)place * HEAD + part) = value[i];
    }
  }
  __syncthreads();

  const int high = lane / 4;
  const int low = lane % 4;
  const float factor = scale * LOG2_E;
  // Rows of squares that this lane names: of keys, square by square along a row; of values, one below the other.
  const u16 *keyRow = sharedKeys + (lane % 8 + lane / 16 * 8) * STRIDE + lane / 8 % 2 * 8;
  const u16 *valueRow = sharedValues + lane % 16 * STRIDE + lane / 16 * 8;
  for (int first = warp * TILE; first < tokens; first += blockDim.x / WARP * TILE) {
    u32 queries[STEPS][4], rest[2] = {0, 0};
    auto query = [&](int below, int column) -> u32 {
      const int token = first + high + below;
      if (token >= tokens) return 0;
      const int at = column + low * 2;
      const u16 *there = own + (long long)token * queryStride;
      const u32 pair = *(const u32 *)(there + at);
      if (TURNED) {
        const bool isFirst = at < HEAD / 2;
        const int other = isFirst ? at + HEAD / 2 : at - HEAD / 2;
        const long long angle = (long long)(past + token) * (HEAD / 2) + (isFirst ? at : other);
        return turnedPair(pair, *(const u32 *)(there + other), *(const u32 *)(angles.cosines + angle),
                          *(const u32 *)(angles.sines + angle), isFirst ? -1.0f : 1.0f);
      }
      return bias == nullptr ? pair : added(pair, *(const u32 *)(bias + head * HEAD + at));
    };
#pragma unroll
    for (int step = 0; step < STEPS; step++)
#pragma unroll
      for (int i = 0; i < 4; i++) queries[step][i] = query(i % 2 * 8, step * 16 + i / 2 * 8);
    if (hasRest) {
      rest[0] = query(0, STEPS * 16);
      rest[1] = query(8, STEPS * 16);
    }

    float sums[EIGHTHS][4];
#pragma unroll
    for (int eighth = 0; eighth < EIGHTHS; eighth++)
#pragma unroll
      for (int i = 0; i < 4; i++) sums[eighth][i] = 0;
    // Of the two queries that a lane has scores of, in powers of two.
    float greatest[2] = {NOTHING, NOTHING};
    float totals[2] = {0, 0};
    const int last = first + TILE < tokens ? first + TILE : tokens;
    const int end = isCausal ? past + last : count;
    for (int place = 0; place < end; place += TILE) {
      float scores[2][4] = {{0, 0, 0, 0}, {0, 0, 0, 0}};
#pragma unroll
      for (int step = 0; step < STEPS; step++) {
        u32 squares[4];
        fourSquares(squares, keyRow + place * STRIDE + step * 16);
        multiplyAdd(scores[0], queries[step], squares);
        multiplyAdd(scores[1], queries[step], squares + 2);
      }
      if (hasRest) {
        u32 squares[4];
        // Those of columns that there are not belong to nobody: they repeat the others.
        fourSquares(squares, sharedKeys + (place + lane % 8 + lane / 16 * 8) * STRIDE + STEPS * 16);
        multiplyAddHalf(scores[0], rest, squares[0]);
        multiplyAddHalf(scores[1], rest, squares[2]);
      }
      float top[2] = {NOTHING, NOTHING};
#pragma unroll
      for (int half = 0; half < 2; half++)
#pragma unroll
        for (int i = 0; i < 4; i++) {
          const int key = place + half * 8 + low * 2 + i % 2;
          const int token = first + high + i / 2 * 8;
          const bool isSeen = key < count && (!isCausal || key <= past + token);
          scores[half][i] = isSeen ? scores[half][i] * factor : NOTHING;
          top[i / 2] = fmaxf(top[i / 2], scores[half][i]);
        }
      if (__any_sync(ALL_LANES, top[0] > greatest[0] + SLACK || top[1] > greatest[1] + SLACK)) {
#pragma unroll
        for (int i = 0; i < 2; i++) {
          top[i] = fmaxf(top[i], __shfl_xor_sync(ALL_LANES, top[i], 1));
          top[i] = fmaxf(top[i], __shfl_xor_sync(ALL_LANES, top[i], 2));
          const float next = fmaxf(greatest[i], top[i]);
          const float kept = greatest[i] == NOTHING ? 0.0f : powerOfTwo(greatest[i] - next);
          greatest[i] = next;
          totals[i] *= kept;
#pragma unroll
          for (int eighth = 0; eighth < EIGHTHS; eighth++) {
            sums[eighth][2 * i] *= kept;
            sums[eighth][2 * i + 1] *= kept;
          }
        }
      }
      u32 weights[4];
#pragma unroll
      for (int half = 0; half < 2; half++)
#pragma unroll
        for (int i = 0; i < 2; i++) {
          const float even = powerOfTwo(scores[half][2 * i] - greatest[i]);
          const float odd = powerOfTwo(scores[half][2 * i + 1] - greatest[i]);
          totals[i] += even + odd;
          weights[2 * half + i] = narrowedPair(even, odd);
        }
#pragma unroll
      for (int eighth = 0; eighth < EIGHTHS; eighth += 2) {
        u32 squares[4];
        // Of an odd number of eighths the last has no neighbour: it is read twice.
        const int back = eighth + 1 == EIGHTHS ? lane / 16 * 8 : 0;
        fourSquaresTurned(squares, valueRow + place * STRIDE + eighth * 8 - back);
        multiplyAdd(sums[eighth], weights, squares);
        if (eighth + 1 < EIGHTHS) multiplyAdd(sums[eighth + 1], weights, squares + 2);
      }
    }

#pragma unroll
    for (int i = 0; i < 2; i++) {
      totals[i] += __shfl_xor_sync(ALL_LANES, totals[i], 1);
      totals[i] += __shfl_xor_sync(ALL_LANES, totals[i], 2);
      const int token = first + high + i * 8;
      if (token >= tokens) continue;
      const float share = 1 / totals[i];
      u16 *to = output + ((long long)row * tokens + token) * width + head * HEAD + low * 2;
#pragma unroll
      for (int eighth = 0; eighth < EIGHTHS; eighth++)
        *(u32 *)(to + eighth * 8) = narrowedPair(sums[eighth][2 * i] * share, sums[eighth][2 * i + 1] * share);
    }
  }
}

#define ATTENTION_OF_MANY(head, eighths, blocks)                                                                               \
  KERNEL_OF(288, blocks)                                                                                                       \
  attention_of_many_##head(const u16 *qkv, const u16 *bias, u16 *keys, u16 *values, const int *lengths, u16 *output,           \
                           int tokens, int heads, int capacity, float scale) {                                                 \
    attentionOfMany<eighths, OWN_KEYS>(qkv, bias, Angles(), keys, values, lengths, output, tokens, heads, capacity, scale,     \
                                       SHARED_BYTES);                                                                          \
  }

ATTENTION_OF_MANY(64, 8, 2)
ATTENTION_OF_MANY(80, 10, 2)
ATTENTION_OF_MANY(88, 11, 2)
ATTENTION_OF_MANY(128, 16, 1)

KERNEL_OF(288, 2)
attention_to_picture_64(const u16 *queries, const u16 *bias, const u16 *memory, u16 *output, int tokens, int heads, int seen, float scale) {
  attentionOfMany<8, PICTURE_KEYS>(queries, bias, Angles(), (u16 *)memory, nullptr, nullptr, output, tokens, heads, seen, scale, SHARED_BYTES);
}

#define ROTARY_ATTENTION_OF_MANY(head, eighths, blocks)                                                                        \
  KERNEL_OF(288, blocks)                                                                                                       \
  rotary_attention_of_many_##head(const u16 *qkv, const u16 *bias, u16 *keys, u16 *values, const int *lengths, u16 *output,    \
                                  int tokens, int heads, int capacity, float scale, const u16 *cosines, const u16 *sines) {    \
    attentionOfMany<eighths, TURNED_KEYS>(qkv, bias, Angles{cosines, sines}, keys, values, lengths, output, tokens, heads,     \
                                          capacity, scale, SHARED_BYTES);                                                      \
  }

ROTARY_ATTENTION_OF_MANY(64, 8, 2)
ROTARY_ATTENTION_OF_MANY(80, 10, 2)
ROTARY_ATTENTION_OF_MANY(128, 16, 1)

#endif
