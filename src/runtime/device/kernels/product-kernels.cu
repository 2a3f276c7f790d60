#include "halves.cuh"

/** Two bytes, the `low`th and the next, as halves less 1024 + zero, times a scale. */
#define DEQUANTIZED(bytes, selector, zero, scale) multiplied(subtracted(__byte_perm(bytes, 0x64646464u, selector), zero), scale)

/** What is not a number stays that. */
__device__ __forceinline__ float finished(float sum, const u16 *bias, int output, int isRelu) {
  const float biased = bias == 0 ? sum : sum + widened(bias[output]);
  return isRelu && biased < 0 ? 0 : biased;
}

/** Eight weights of a row times a scale, as pairs of halves in their order; of int4 the low ones of bytes come first. */
template <int BITS>
__device__ __forceinline__ void dequantized(const u32 *words, int eighth, u32 scale, u32 pairs[4]) {
  if (BITS == 8) {
    const u32 low = words[2 * eighth];
    const u32 high = words[2 * eighth + 1];
    pairs[0] = DEQUANTIZED(low, 0x4140, 0x64806480u, scale);
    pairs[1] = DEQUANTIZED(low, 0x4342, 0x64806480u, scale);
    pairs[2] = DEQUANTIZED(high, 0x4140, 0x64806480u, scale);
    pairs[3] = DEQUANTIZED(high, 0x4342, 0x64806480u, scale);
  } else {
    const u32 even = words[eighth] & 0x0f0f0f0fu;
    const u32 odd = words[eighth] >> 4 & 0x0f0f0f0fu;
    const u32 low = __byte_perm(even, odd, 0x5140);
    const u32 high = __byte_perm(even, odd, 0x7362);
    pairs[0] = DEQUANTIZED(low, 0x4140, 0x64086408u, scale);
    pairs[1] = DEQUANTIZED(low, 0x4342, 0x64086408u, scale);
    pairs[2] = DEQUANTIZED(high, 0x4140, 0x64086408u, scale);
    pairs[3] = DEQUANTIZED(high, 0x4342, 0x64086408u, scale);
  }
}

#include "quantized-product.cuh"

/** Weights as halves, for products of so many rows that they are read many times: 16 bytes of them a thread. */
template <int BITS>
__device__ __forceinline__ void quantizedFloats(const u8 *weights, const u16 *scales, u16 *floats, int inputs, int blockSize,
                                                int pieces) {
  const int EACH = 128 / BITS;
  const int piece = blockIdx.x * blockDim.x + threadIdx.x;
  if (piece >= pieces) return;
  const long long first = (long long)piece * EACH;
  const u32 scale = scales[first / inputs * (inputs / blockSize) + first % inputs / blockSize] * 0x10001u;
  const Quad q = ((const Quad *)weights)[piece];
  const u32 words[4] = {q.x, q.y, q.z, q.w};
#pragma unroll
  for (int eighth = 0; eighth < EACH / 8; eighth++) {
    u32 pairs[4];
    dequantized<BITS>(words, eighth, scale, pairs);
    ((Quad *)(floats + first))[eighth] = Quad{pairs[0], pairs[1], pairs[2], pairs[3]};
  }
}

#define FLOATS(bits)                                                                                                          \
  KERNEL int##bits##_floats(const u8 *weights, const u16 *scales, u16 *floats, int inputs, int blockSize, int pieces) {       \
    quantizedFloats<bits>(weights, scales, floats, inputs, blockSize, pieces);                                                \
  }

FLOATS(8)
FLOATS(4)

/** The same end of products that another library made: 8 numbers a thread, of rows whose length is a multiple of that. */
KERNEL finish_products(u16 *y, const u16 *bias, int outputs, int isRelu, int pieces) {
  const int piece = blockIdx.x * blockDim.x + threadIdx.x;
  if (piece >= pieces) return;
  const int output = (int)((long long)piece * 8 % outputs);
  u16 *numbers = y + (long long)piece * 8;
  const Quad q = *(const Quad *)numbers;
  const u32 words[4] = {q.x, q.y, q.z, q.w};
  u32 made[4];
#pragma unroll
  for (int i = 0; i < 4; i++) {
    const u16 low = narrowed(finished(widened((u16)words[i]), bias, output + 2 * i, isRelu));
    made[i] = low | (u32)narrowed(finished(widened((u16)(words[i] >> 16)), bias, output + 2 * i + 1, isRelu)) << 16;
  }
  *(Quad *)numbers = Quad{made[0], made[1], made[2], made[3]};
}

#define PRODUCT(bits, columns)                                                                                                     \
  KERNEL int##bits##_product_##columns(const u16 *x, const u8 *weights, const u16 *scales, const u16 *bias, u16 *y, int rows,         \
                                    int outputs, int inputs, int blockSize, int isRelu, float *partials, u32 *arrivals) {          \
    quantizedProduct<bits, columns>(x, weights, scales, bias, y, rows, outputs, inputs, blockSize, isRelu, partials, arrivals,     \
                                    SHARED_BYTES);                                                                                 \
  }

PRODUCT(8, 2)
PRODUCT(8, 4)
PRODUCT(8, 6)
PRODUCT(4, 2)
PRODUCT(4, 4)
PRODUCT(4, 6)
