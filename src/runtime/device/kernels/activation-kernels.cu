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

/** x times the logistic function of 2 sqrt(2 / pi) (x + 0.044715 x^3), which is GELU by tanh. */
__device__ __forceinline__ float geluByTanh(float x) {
  return x / (1.0f + __expf(-1.5957691216f * (x + 0.044715f * x * x * x)));
}

__device__ __forceinline__ float silu(float x) { return x / (1.0f + __expf(-x)); }

/**
 * y = activation(gate) linear, of rows of `eighths` times 8 halves each, gate and linear side by side in x; y of float16, or float32. Both
 * factors and their product are rounded to float16, as who computes them one by one has them.
 */
template <float (*ACTIVATION)(float), bool WIDE>
__device__ __forceinline__ void gated(const u16 *x, void *y, int eighths, int pieces) {
  const int piece = blockIdx.x * blockDim.x + threadIdx.x;
  if (piece >= pieces) return;
  const Quad *row = (const Quad *)x + (long long)(piece / eighths) * 2 * eighths + piece % eighths;
  const Quad gate = row[0], linear = row[eighths];
  const u32 gates[4] = {gate.x, gate.y, gate.z, gate.w};
  const u32 linears[4] = {linear.x, linear.y, linear.z, linear.w};
  u32 made[8], packed[4];
#pragma unroll
  for (int i = 0; i < 4; i++) {
    const u32 active = narrowedPair(ACTIVATION(widened((u16)gates[i])), ACTIVATION(widened((u16)(gates[i] >> 16))));
    const u32 products = packed[i] = multiplied(active, linears[i]);
    made[2 * i] = __float_as_int(widened((u16)products));
    made[2 * i + 1] = __float_as_int(widened((u16)(products >> 16)));
  }
  if (!WIDE) {
    ((Quad *)y)[piece] = Quad{packed[0], packed[1], packed[2], packed[3]};
    return;
  }
  Quad *to = (Quad *)y + (long long)piece * 2;
  to[0] = Quad{made[0], made[1], made[2], made[3]};
  to[1] = Quad{made[4], made[5], made[6], made[7]};
}

KERNEL gated_gelu(const u16 *x, float *y, int eighths, int pieces) { gated<gelu, true>(x, y, eighths, pieces); }
KERNEL gated_gelu_new(const u16 *x, float *y, int eighths, int pieces) { gated<geluByTanh, true>(x, y, eighths, pieces); }
KERNEL gated_silu(const u16 *x, u16 *y, int eighths, int pieces) { gated<silu, false>(x, y, eighths, pieces); }
