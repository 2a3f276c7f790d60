#include "halves.cuh"

/** Threads of a row. */
#define NORMERS 256
/** Numbers that a thread reads at once. */
#define FOUR 4

template <bool WIDE>
__device__ __forceinline__ void four(const void *numbers, long long at, float made[FOUR]) {
  if (WIDE) {
    const Quad bits = *(const Quad *)((const float *)numbers + at);
    made[0] = __int_as_float(bits.x);
    made[1] = __int_as_float(bits.y);
    made[2] = __int_as_float(bits.z);
    made[3] = __int_as_float(bits.w);
    return;
  }
  const Pair bits = *(const Pair *)((const u16 *)numbers + at);
  made[0] = widened((u16)bits.x);
  made[1] = widened((u16)(bits.x >> 16));
  made[2] = widened((u16)bits.y);
  made[3] = widened((u16)(bits.y >> 16));
}

/** Over all threads of a block. `shared` has a number for each warp, and nobody reads it any more. */
__device__ __forceinline__ float ofBlock(float own, float *shared) {
#pragma unroll
  for (int far = WARP / 2; far > 0; far /= 2) own += __shfl_xor_sync(ALL_LANES, own, far);
  if (threadIdx.x % WARP == 0) shared[threadIdx.x / WARP] = own;
  __syncthreads();
  float all = 0;
#pragma unroll
  for (int warp = 0; warp < NORMERS / WARP; warp++) all += shared[warp];
  return all;
}

__device__ __forceinline__ void putFour(float *to, const float given[FOUR]) {
  *(Quad *)to = Quad{(u32)__float_as_int(given[0]), (u32)__float_as_int(given[1]), (u32)__float_as_int(given[2]), (u32)__float_as_int(given[3])};
}

/**
 * sum = branch + x, and normed = sum / sqrt(mean(sum^2) + epsilon) * weight, of a row for each block: branch of float16 or float32, x and
 * sum of float32, weight and normed of float16. `width` is a multiple of 4. Not in place: `sum` is read again.
 */
template <bool WIDE>
__device__ __forceinline__ void addRmsNorm(const void *branch, const float *x, const u16 *weight, float *sum, u16 *normed, int width,
                                           float epsilon) {
  __shared__ float squares[NORMERS / WARP];
  const long long row = (long long)blockIdx.x * width;
  float own = 0;
  for (int at = threadIdx.x * FOUR; at < width; at += NORMERS * FOUR) {
    float a[FOUR], b[FOUR];
    four<WIDE>(branch, row + at, a);
    four<true>(x, row + at, b);
#pragma unroll
    for (int i = 0; i < FOUR; i++) {
      a[i] += b[i];
      own += a[i] * a[i];
    }
    putFour(sum + row + at, a);
  }
  const float factor = 1.0f / sqrtf(ofBlock(own, squares) / width + epsilon);
  for (int at = threadIdx.x * FOUR; at < width; at += NORMERS * FOUR) {
    float a[FOUR], w[FOUR];
    four<true>(sum, row + at, a);
    four<false>(weight, at, w);
    *(Pair *)(normed + row + at) =
        Pair{narrowedPair(a[0] * factor * w[0], a[1] * factor * w[1]), narrowedPair(a[2] * factor * w[2], a[3] * factor * w[3])};
  }
}

KERNEL_OF(NORMERS, 4)
add_rms_norm(const u16 *branch, const float *x, const u16 *weight, float *sum, u16 *normed, int width, float epsilon) {
  addRmsNorm<false>(branch, x, weight, sum, normed, width, epsilon);
}
KERNEL_OF(NORMERS, 4)
add_wide_rms_norm(const float *branch, const float *x, const u16 *weight, float *sum, u16 *normed, int width, float epsilon) {
  addRmsNorm<true>(branch, x, weight, sum, normed, width, epsilon);
}

/**
 * normed = (sum - mean) / sqrt(variance + epsilon) * weight + bias, of sum = branch + offset + x, of a row for each block, in float32 and, as
 * `half`, in float16; branch of float16, all else of float32. `width` is a multiple of 4. Not in place: `normed` keeps the sum meanwhile.
 */
KERNEL_OF(NORMERS, 4)
add_layer_norm(const u16 *branch, const float *offset, const float *x, const float *weight, const float *bias, float *normed, u16 *half,
               int width, float epsilon) {
  __shared__ float sums[2][NORMERS / WARP];
  const long long row = (long long)blockIdx.x * width;
  float own = 0;
  for (int at = threadIdx.x * FOUR; at < width; at += NORMERS * FOUR) {
    float a[FOUR], b[FOUR], c[FOUR];
    four<false>(branch, row + at, a);
    four<true>(offset, at, b);
    four<true>(x, row + at, c);
#pragma unroll
    for (int i = 0; i < FOUR; i++) own += a[i] = a[i] + b[i] + c[i];
    putFour(normed + row + at, a);
  }
  const float mean = ofBlock(own, sums[0]) / width;
  own = 0;
  for (int at = threadIdx.x * FOUR; at < width; at += NORMERS * FOUR) {
    float a[FOUR];
    four<true>(normed, row + at, a);
#pragma unroll
    for (int i = 0; i < FOUR; i++) own += (a[i] - mean) * (a[i] - mean);
  }
  const float factor = 1.0f / sqrtf(ofBlock(own, sums[1]) / width + epsilon);
  for (int at = threadIdx.x * FOUR; at < width; at += NORMERS * FOUR) {
    float a[FOUR], w[FOUR], b[FOUR];
    four<true>(normed, row + at, a);
    four<true>(weight, at, w);
    four<true>(bias, at, b);
#pragma unroll
    for (int i = 0; i < FOUR; i++) a[i] = (a[i] - mean) * factor * w[i] + b[i];
    putFour(normed + row + at, a);
    *(Pair *)(half + row + at) = Pair{narrowedPair(a[0], a[1]), narrowedPair(a[2], a[3])};
  }
}
