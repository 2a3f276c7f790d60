/** Rows of weights that a block multiplies: for each of its warps 4 tiles of 16. */
#define TILES 4
#define WARPS 4

/** Stretches of a warp that are on their way from memory while it multiplies. */
#define STAGES 4
/** A tile's half, of a warp: 16 bytes of weights a lane, and 4 in which its scale is. */
#define STAGE_BYTES (TILES * 2 * (16 + 4) * WARP)

/**
 * y = x w^T for rows of activations, 8 * COLUMNS of them a block. Weights are read once for all of these, as they are stored, and
 * become halves in registers: of 4 lanes each has 16 bytes of a row in one piece, and the same places of the activations, so that the
 * order within a product differs from memory's, which changes no sum. Lanes read nothing that another lane fetched. The warps of a
 * block share the inner dimension, and so do `gridDim.z` blocks: the last of them to end adds up what all have left, in their order, so
 * that a sum is the same each time. Where there is a bias it is added before rounding, and what is less than zero may become that.
 */
template <int BITS, int COLUMNS>
__device__ __forceinline__ void quantizedProduct(const u16 *x, const u8 *weights, const u16 *scales, const u16 *bias, u16 *y,
                                                 int rows, int outputs, int inputs, int blockSize, int isRelu, float *partials,
                                                 u32 *arrivals, u8 *shared) {
  const int STRETCH = BITS == 8 ? 64 : 128;
  const int EACH = STRETCH / 4;
  const int lane = threadIdx.x % WARP;
  const int warp = threadIdx.x / WARP;
  const int high = lane / 4;
  const int low = lane % 4;
  const int firstOutput = blockIdx.x * TILES * 16;
  const int firstRow = blockIdx.y * COLUMNS * 8;

  const int stretches = inputs / STRETCH;
  const int shares = gridDim.z * WARPS;
  const int share = blockIdx.z * WARPS + warp;
  const int begin = (int)((long long)stretches * share / shares);
  const int end = (int)((long long)stretches * (share + 1) / shares);
  const int rowBytes = inputs * BITS / 8;
  const int blocks = inputs / blockSize;

  float sums[TILES][COLUMNS][4];
#pragma unroll
  for (int tile = 0; tile < TILES; tile++)
#pragma unroll
    for (int column = 0; column < COLUMNS; column++)
#pragma unroll
      for (int i = 0; i < 4; i++) sums[tile][column][i] = 0;

  u8 *stages = shared + warp * STAGES * STAGE_BYTES + lane * 16;
  u8 *scaleStages = shared + warp * STAGES * STAGE_BYTES + TILES * 2 * 16 * WARP + lane * 4;
  // Rows beyond the last are the last, and never written.
  auto rowOf = [&](int tile, int half) {
    const int output = firstOutput + tile * 16 + half * 8 + high;
    return output < outputs ? output : outputs - 1;
  };
  auto fetch = [&](int stretch, int stage) {
    if (stretch < end) {
#pragma unroll
      for (int tile = 0; tile < TILES; tile++)
#pragma unroll
        for (int half = 0; half < 2; half++) {
          const int place = tile * 2 + half;
          const long long output = rowOf(tile, half);
          const long long block = output * blocks + (stretch * STRETCH + low * EACH) / blockSize;
          fetch16(stages + stage * STAGE_BYTES + place * 16 * WARP,
                  weights + output * rowBytes + stretch * (STRETCH * BITS / 8) + low * 16);
          fetch4(scaleStages + stage * STAGE_BYTES + place * 4 * WARP, (const u8 *)scales + (block * 2 & ~3ll));
        }
    }
    endFetch();
  };
#pragma unroll
  for (int stage = 0; stage < STAGES - 1; stage++) fetch(begin + stage, stage);
  for (int stretch = begin; stretch < end; stretch++) {
    const int stage = (stretch - begin) % STAGES;
    awaitFetches<STAGES - 2>();
    const int block = (stretch * STRETCH + low * EACH) / blockSize;
    u32 words[TILES][2][4];
    u32 scale[TILES][2];
#pragma unroll
    for (int tile = 0; tile < TILES; tile++)
#pragma unroll
      for (int half = 0; half < 2; half++) {
        const int place = tile * 2 + half;
        const Quad q = *(const Quad *)(stages + stage * STAGE_BYTES + place * 16 * WARP);
        const u32 both = *(const u32 *)(scaleStages + stage * STAGE_BYTES + place * 4 * WARP);
        const int isHigh = (rowOf(tile, half) * blocks + block) & 1;
        scale[tile][half] = __byte_perm(both, 0, isHigh ? 0x3232 : 0x1010);
        words[tile][half][0] = q.x;
        words[tile][half][1] = q.y;
        words[tile][half][2] = q.z;
        words[tile][half][3] = q.w;
      }
    fetch(stretch + STAGES - 1, (stretch - begin + STAGES - 1) % STAGES);
#pragma unroll
    for (int eighth = 0; eighth < EACH / 8; eighth++) {
      Quad given[COLUMNS];
#pragma unroll
      for (int column = 0; column < COLUMNS; column++) {
        const int row = firstRow + column * 8 + high;
        given[column] = Quad{0, 0, 0, 0};
        if (row < rows)
          given[column] = *(const Quad *)(x + (long long)row * inputs + stretch * STRETCH + low * EACH + eighth * 8);
      }
      u32 a[TILES][2][4];
#pragma unroll
      for (int tile = 0; tile < TILES; tile++)
#pragma unroll
        for (int half = 0; half < 2; half++)
          dequantized<BITS>(words[tile][half], eighth, scale[tile][half], a[tile][half]);
#pragma unroll
      for (int column = 0; column < COLUMNS; column++) {
        const u32 b[4] = {given[column].x, given[column].y, given[column].z, given[column].w};
#pragma unroll
        for (int step = 0; step < 2; step++)
#pragma unroll
          for (int tile = 0; tile < TILES; tile++) {
            const u32 left[4] = {a[tile][0][2 * step], a[tile][1][2 * step], a[tile][0][2 * step + 1],
                                 a[tile][1][2 * step + 1]};
            multiplyAdd(sums[tile][column], left, b + 2 * step);
          }
      }
    }
  }
  awaitFetches<0>();
  __syncthreads();

  // Each warp adds up one tile of all.
  const int SUMS = COLUMNS * 4;
  float *held = (float *)shared;
#pragma unroll
  for (int tile = 0; tile < TILES; tile++)
#pragma unroll
    for (int i = 0; i < SUMS; i++) held[((warp * TILES + tile) * SUMS + i) * WARP + lane] = (&sums[tile][0][0])[i];
  __syncthreads();
  float sum[SUMS];
#pragma unroll
  for (int i = 0; i < SUMS; i++) {
    sum[i] = 0;
#pragma unroll
    for (int other = 0; other < WARPS; other++) sum[i] += held[((other * TILES + warp) * SUMS + i) * WARP + lane];
  }

  if (gridDim.z > 1) {
    const int block = blockIdx.y * gridDim.x + blockIdx.x;
    float *left = partials + ((long long)block * gridDim.z * TILES + warp) * SUMS * WARP + lane;
    const long long next = TILES * SUMS * WARP;
#pragma unroll
    for (int i = 0; i < SUMS; i++) left[blockIdx.z * next + i * WARP] = sum[i];
    __threadfence();
    __syncthreads();
    u32 *arrived = (u32 *)shared;
    if (threadIdx.x == 0) *arrived = atomicAdd(&arrivals[block], 1u);
    __syncthreads();
    if (*arrived != gridDim.z - 1) return;
    __threadfence();
#pragma unroll
    for (int i = 0; i < SUMS; i++) sum[i] = 0;
    // Several at once: each would wait for the one before.
    const int AT_ONCE = 4;
    for (int first = 0; first < gridDim.z; first += AT_ONCE) {
      float some[AT_ONCE][SUMS];
#pragma unroll
      for (int other = 0; other < AT_ONCE; other++)
#pragma unroll
        for (int i = 0; i < SUMS; i++)
          some[other][i] = first + other < gridDim.z ? left[(first + other) * next + i * WARP] : 0.0f;
#pragma unroll
      for (int other = 0; other < AT_ONCE; other++)
#pragma unroll
        for (int i = 0; i < SUMS; i++) sum[i] += some[other][i];
    }
    if (threadIdx.x == 0) arrivals[block] = 0;
  }
#pragma unroll
  for (int i = 0; i < SUMS; i++) {
    const int output = firstOutput + warp * 16 + (i / 2 % 2) * 8 + high;
    const int row = firstRow + (i / 4) * 8 + low * 2 + i % 2;
    if (output < outputs && row < rows) y[(long long)row * outputs + output] = narrowed(finished(sum[i], bias, output, isRelu));
  }
}
