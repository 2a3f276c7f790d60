// What kernels share. `scripts/build-kernels.mjs` compiles them to PTX, which the driver compiles for its card, of compute capability
// 8.0 or later. Halves are handled as bits: the compiler's headers are not needed.
#ifndef HALVES
#define HALVES

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;

#define WARP 32
#define ALL_LANES 0xffffffffu
#define NOTHING __int_as_float(0xff800000)

struct alignas(16) Quad {
  u32 x, y, z, w;
};
struct alignas(8) Pair {
  u32 x, y;
};

#ifndef EMULATED
#define KERNEL extern "C" __global__ void
/** Of so many threads a block, so many blocks at once on a multiprocessor. */
#define KERNEL_OF(threads, blocks) extern "C" __global__ void __launch_bounds__(threads, blocks)

__device__ __forceinline__ float widened(u16 half) {
  float value;
  asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(half));
  return value;
}
__device__ __forceinline__ u16 narrowed(float value) {
  u16 half;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(half) : "f"(value));
  return half;
}
__device__ __forceinline__ u32 narrowedPair(float low, float high) {
  u32 pair;
  asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
  return pair;
}
__device__ __forceinline__ u32 added(u32 a, u32 b) {
  u32 sum;
  asm("add.rn.f16x2 %0, %1, %2;" : "=r"(sum) : "r"(a), "r"(b));
  return sum;
}
__device__ __forceinline__ u32 subtracted(u32 a, u32 b) {
  u32 difference;
  asm("sub.rn.f16x2 %0, %1, %2;" : "=r"(difference) : "r"(a), "r"(b));
  return difference;
}
__device__ __forceinline__ u32 multiplied(u32 a, u32 b) {
  u32 product;
  asm("mul.rn.f16x2 %0, %1, %2;" : "=r"(product) : "r"(a), "r"(b));
  return product;
}
/** sum += a b, of 16 x 16 halves and 16 x 8 halves, each spread over a warp. */
__device__ __forceinline__ void multiplyAdd(float sum[4], const u32 a[4], const u32 b[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
/** The same of 16 x 8 halves and 8 x 8 halves. */
__device__ __forceinline__ void multiplyAddHalf(float sum[4], const u32 a[2], u32 b) {
  asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5}, {%6}, {%0,%1,%2,%3};"
               : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
               : "r"(a[0]), "r"(a[1]), "r"(b));
}
/**
 * Squares of 8 x 8 halves in shared memory, spread over a warp as `multiplyAdd` reads its second factor: lane 8 i + j says where row j of
 * square i is. `Turned` exchanges rows and columns of each.
 */
__device__ __forceinline__ void fourSquares(u32 squares[4], const u16 *row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(squares[0]), "=r"(squares[1]), "=r"(squares[2]), "=r"(squares[3])
               : "r"((u32)__cvta_generic_to_shared(row)));
}
__device__ __forceinline__ void fourSquaresTurned(u32 squares[4], const u16 *row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(squares[0]), "=r"(squares[1]), "=r"(squares[2]), "=r"(squares[3])
               : "r"((u32)__cvta_generic_to_shared(row)));
}
__device__ __forceinline__ float powerOfTwo(float x) {
  float power;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(power) : "f"(x));
  return power;
}
/** Copies into shared memory, of a group that ends with `endFetch`. Weights are read once: they stay out of the first cache. */
__device__ __forceinline__ void fetch16(u8 *to, const u8 *from) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"((u32)__cvta_generic_to_shared(to)), "l"(from));
}
__device__ __forceinline__ void fetch4(u8 *to, const u8 *from) {
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4;" ::"r"((u32)__cvta_generic_to_shared(to)), "l"(from));
}
__device__ __forceinline__ void endFetch() { asm volatile("cp.async.commit_group;"); }
/** Until no more than so many groups of this thread are on their way. */
template <int COUNT>
__device__ __forceinline__ void awaitFetches() {
  asm volatile("cp.async.wait_group %0;" ::"n"(COUNT) : "memory");
}
extern __shared__ __align__(16) u8 sharedBytes[];
#define SHARED_BYTES sharedBytes
#endif

__device__ __forceinline__ Quad addedQuad(const Quad &a, const Quad &b) {
  return Quad{added(a.x, b.x), added(a.y, b.y), added(a.z, b.z), added(a.w, b.w)};
}

#endif
