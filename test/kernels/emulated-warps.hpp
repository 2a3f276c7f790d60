// What kernels of src/runtime/device/kernels use of CUDA, on a CPU: a thread for each lane, which waits for the others of its warp
// wherever lanes exchange something. Products of fragments are added up one by one, by the layout in the PTX manual ("Matrix fragments for
// mma.m16n8k16"), which the kernels take for granted.
#pragma once
#include <barrier>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#define EMULATED
#define __device__
#define __forceinline__ inline
#define __shared__ static
#define KERNEL static void
#define KERNEL_OF(threads, blocks) static void

struct Dim {
  int x, y, z;
};
static thread_local Dim threadIdx;
static Dim blockIdx, blockDim, gridDim;

struct EmulatedWarp {
  std::barrier<> lanes{32};
  float floats[32];
  unsigned left[32][4], right[32][2];
  const unsigned short *rows[32];
};
static std::vector<std::unique_ptr<EmulatedWarp>> emulatedWarps;
static std::unique_ptr<std::barrier<>> emulatedBlock;
static unsigned char emulatedMemory[128 * 1024] __attribute__((aligned(16)));
#define SHARED_BYTES emulatedMemory

inline EmulatedWarp &ownWarp() { return *emulatedWarps[threadIdx.x / 32]; }
inline void __syncwarp() { ownWarp().lanes.arrive_and_wait(); }
inline void __syncthreads() { emulatedBlock->arrive_and_wait(); }
inline void __threadfence() {}

inline unsigned atomicAdd(unsigned *address, unsigned value) {
  const unsigned old = *address;
  *address += value;
  return old;
}

inline float exchanged(float value, int from) {
  EmulatedWarp &warp = ownWarp();
  const int lane = threadIdx.x % 32;
  warp.floats[lane] = value;
  warp.lanes.arrive_and_wait();
  const float other = from < 32 ? warp.floats[from] : value;
  warp.lanes.arrive_and_wait();
  return other;
}
inline float __shfl_sync(unsigned, float value, int lane) { return exchanged(value, lane % 32); }
inline float __shfl_down_sync(unsigned, float value, int far) { return exchanged(value, threadIdx.x % 32 + far); }

inline float __shfl_xor_sync(unsigned, float value, int mask) { return exchanged(value, threadIdx.x % 32 ^ mask); }
inline int __any_sync(unsigned, int isTrue) {
  EmulatedWarp &warp = ownWarp();
  warp.floats[threadIdx.x % 32] = isTrue ? 1 : 0;
  warp.lanes.arrive_and_wait();
  bool isAny = false;
  for (const float each : warp.floats) isAny = isAny || each != 0;
  warp.lanes.arrive_and_wait();
  return isAny;
}

inline float powerOfTwo(float x) { return std::exp2(x); }
inline float __fdividef(float a, float b) { return a / b; }
inline float __expf(float x) { return std::exp(x); }
using std::fabs;
using std::fmaxf;
inline float __int_as_float(unsigned bits) {
  float value;
  memcpy(&value, &bits, 4);
  return value;
}
inline unsigned __byte_perm(unsigned a, unsigned b, unsigned selector) {
  unsigned char bytes[8];
  memcpy(bytes, &a, 4);
  memcpy(bytes + 4, &b, 4);
  unsigned result = 0;
  for (int i = 0; i < 4; i++) result |= (unsigned)bytes[selector >> 4 * i & 7] << 8 * i;
  return result;
}

inline float widened(unsigned short half) {
  _Float16 value;
  memcpy(&value, &half, 2);
  return (float)value;
}
inline unsigned short narrowed(float value) {
  const _Float16 rounded = (_Float16)value;
  unsigned short half;
  memcpy(&half, &rounded, 2);
  return half;
}
// Both are exact in float32, and rounded once.
inline unsigned ofPairs(unsigned a, unsigned b, const std::function<float(float, float)> &of) {
  const unsigned low = narrowed(of(widened(a & 0xffff), widened(b & 0xffff)));
  return low | (unsigned)narrowed(of(widened(a >> 16), widened(b >> 16))) << 16;
}
inline unsigned narrowedPair(float low, float high) { return narrowed(low) | (unsigned)narrowed(high) << 16; }
inline unsigned added(unsigned a, unsigned b) { return ofPairs(a, b, std::plus<float>()); }
inline unsigned subtracted(unsigned a, unsigned b) { return ofPairs(a, b, std::minus<float>()); }
inline unsigned multiplied(unsigned a, unsigned b) { return ofPairs(a, b, std::multiplies<float>()); }

inline void multiplyAdd(float sum[4], const unsigned a[4], const unsigned b[2]) {
  EmulatedWarp &warp = ownWarp();
  const int lane = threadIdx.x % 32;
  memcpy(warp.left[lane], a, sizeof warp.left[lane]);
  memcpy(warp.right[lane], b, sizeof warp.right[lane]);
  warp.lanes.arrive_and_wait();
  const auto half = [](unsigned pair, int place) { return widened((unsigned short)(pair >> 16 * (place % 2))); };
  for (int i = 0; i < 4; i++) {
    const int row = lane / 4 + i / 2 * 8, column = lane % 4 * 2 + i % 2;
    for (int k = 0; k < 16; k++) {
      const unsigned left = warp.left[row % 8 * 4 + k % 8 / 2][row / 8 + k / 8 * 2];
      const unsigned right = warp.right[column * 4 + k % 8 / 2][k / 8];
      sum[i] += half(left, k) * half(right, k);
    }
  }
  warp.lanes.arrive_and_wait();
}

// By "Matrix fragments for mma.m16n8k8" there.
inline void multiplyAddHalf(float sum[4], const unsigned a[2], unsigned b) {
  const unsigned left[4] = {a[0], a[1], 0, 0}, right[2] = {b, 0};
  multiplyAdd(sum, left, right);
}

// By "Warp-level matrix load instruction: ldmatrix" there.
inline void loadSquares(unsigned squares[4], const unsigned short *row, bool isTurned) {
  EmulatedWarp &warp = ownWarp();
  const int lane = threadIdx.x % 32;
  if ((size_t)row % 16 != 0) abort();
  warp.rows[lane] = row;
  warp.lanes.arrive_and_wait();
  for (int square = 0; square < 4; square++) {
    const auto half = [&](int i) -> unsigned {
      const int row = isTurned ? lane % 4 * 2 + i : lane / 4;
      const int column = isTurned ? lane / 4 : lane % 4 * 2 + i;
      return warp.rows[square * 8 + row][column];
    };
    squares[square] = half(0) | half(1) << 16;
  }
  warp.lanes.arrive_and_wait();
}
inline void fourSquares(unsigned squares[4], const unsigned short *row) { loadSquares(squares, row, false); }
inline void fourSquaresTurned(unsigned squares[4], const unsigned short *row) { loadSquares(squares, row, true); }

inline void fetch16(unsigned char *to, const unsigned char *from) { memcpy(to, from, 16); }
inline void fetch4(unsigned char *to, const unsigned char *from) {
  if ((size_t)from % 4 != 0) abort();
  memcpy(to, from, 4);
}
inline void endFetch() {}
template <int COUNT>
void awaitFetches() {}

/** Runs a kernel for each block of a grid, one block after the other. */
inline void launch(Dim grid, int threads, const std::function<void()> &kernel) {
  gridDim = grid;
  blockDim = {threads, 1, 1};
  for (int z = 0; z < grid.z; z++)
    for (int y = 0; y < grid.y; y++)
      for (int x = 0; x < grid.x; x++) {
        blockIdx = {x, y, z};
        emulatedWarps.clear();
        for (int warp = 0; warp < threads / 32; warp++) emulatedWarps.emplace_back(new EmulatedWarp);
        emulatedBlock = std::make_unique<std::barrier<>>(threads);
        std::vector<std::thread> lanes;
        for (int thread = 0; thread < threads; thread++)
          lanes.emplace_back([&, thread] {
            threadIdx = {thread, 0, 0};
            kernel();
            // Who is done is not waited for.
            emulatedWarps[thread / 32]->lanes.arrive_and_drop();
            emulatedBlock->arrive_and_drop();
          });
        for (std::thread &lane : lanes) lane.join();
      }
}
