#include "halves.cuh"

/** Of 16 bytes, that a thread reads at once: enough on their way to hide how long memory takes. */
#define PIECES 4

/**
 * x times the normal distribution's share below x, by Abramowitz and Stegun's formula 7.1.26 for the share beyond |x|, which is right to
 * 1e-7: less than float16 tells apart but where the result is next to nothing.
 */
__device__ __forceinline__ float gelu(float x) {
  const float z = fabsf(x) * 0.70710678f;
  const float t = __fdividef(1.0f, 1.0f + 0.3275911f * z);
  const float polynomial = t * (0.127414796f + t * (-0.142248368f + t * (0.7107068705f + t * (-0.7265760135f + t * 0.5307027145f))));
  const float beyond = polynomial * powerOfTwo(z * z * -1.4426950408889634f);
  return x * (x > 0 ? 1.0f - beyond : beyond);
}

/** What is not a number stays so: fmaxf would hide it. */
__device__ __forceinline__ float relu(float x) { return x < 0 ? 0.0f : x; }

/** y = activation(x + bias) of rows of `eighths` times 8 halves, `pieces` eighths in all. */
template <float (*ACTIVATION)(float)>
__device__ __forceinline__ void activated(const u16 *x, const u16 *bias, u16 *y, int eighths, int pieces) {
  const int first = blockIdx.x * blockDim.x * PIECES + threadIdx.x;
  Quad given[PIECES];
#pragma unroll
  for (int i = 0; i < PIECES; i++) {
    const int piece = first + i * blockDim.x;
    if (piece < pieces) given[i] = ((const Quad *)x)[piece];
  }
#pragma unroll
  for (int i = 0; i < PIECES; i++) {
    const int piece = first + i * blockDim.x;
    if (piece >= pieces) return;
    const Quad offset = ((const Quad *)bias)[piece % eighths];
    const u32 values[4] = {given[i].x, given[i].y, given[i].z, given[i].w};
    const u32 offsets[4] = {offset.x, offset.y, offset.z, offset.w};
    u32 made[4];
#pragma unroll
    for (int j = 0; j < 4; j++) {
      const float low = widened((u16)values[j]) + widened((u16)offsets[j]);
      const float high = widened((u16)(values[j] >> 16)) + widened((u16)(offsets[j] >> 16));
      made[j] = narrowedPair(ACTIVATION(low), ACTIVATION(high));
    }
    ((Quad *)y)[piece] = Quad{made[0], made[1], made[2], made[3]};
  }
}

KERNEL bias_gelu(const u16 *x, const u16 *bias, u16 *y, int eighths, int pieces) { activated<gelu>(x, bias, y, eighths, pieces); }
KERNEL bias_relu(const u16 *x, const u16 *bias, u16 *y, int eighths, int pieces) { activated<relu>(x, bias, y, eighths, pieces); }
