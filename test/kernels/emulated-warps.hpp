// What kernels of src/runtime/device/kernels use of CUDA, on a CPU: lanes take turns in one thread, each with a stack of its own, and wait for the
// others of their warp wherever lanes exchange something. With a thread for each lane it took fifty times as long beside other work. Products of fragments are added up one by one, by the layout in the PTX manual ("Matrix fragments for
// mma.m16n8k16"), which the kernels take for granted.
#pragma once
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <ucontext.h>
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
static Dim threadIdx, blockIdx, blockDim, gridDim;

struct EmulatedLane {
  ucontext_t context;
  std::vector<unsigned char> stack = std::vector<unsigned char>(256 * 1024);
  bool isDone;
};
static std::vector<std::unique_ptr<EmulatedLane>> emulatedLanes;
static ucontext_t emulatedScheduler;

/** The other lanes' turns, up to where each waits. */
inline void takeTurns() { swapcontext(&emulatedLanes[threadIdx.x]->context, &emulatedScheduler); }

class EmulatedBarrier {
  int expected, arrived = 0;
  unsigned phase = 0;

  bool goesOn() {
    if (arrived < expected) return false;
    arrived = 0;
    phase++;
    return true;
  }

public:
  explicit EmulatedBarrier(int count) : expected(count) {}

  void wait() {
    const unsigned own = phase;
    arrived++;
    if (goesOn()) return;
    while (phase == own) takeTurns();
  }

  /** Who is done is not waited for. */
  void leave() {
    expected--;
    goesOn();
  }
};

struct EmulatedWarp {
  EmulatedBarrier lanes{32};
  float floats[32];
  unsigned left[32][4], right[32][2];
  const unsigned short *rows[32];
};
static std::vector<std::unique_ptr<EmulatedWarp>> emulatedWarps;
static std::unique_ptr<EmulatedBarrier> emulatedBlock;
static unsigned char emulatedMemory[128 * 1024] __attribute__((aligned(16)));
#define SHARED_BYTES emulatedMemory

inline EmulatedWarp &ownWarp() { return *emulatedWarps[threadIdx.x / 32]; }
inline void __syncwarp() { ownWarp().lanes.wait(); }
inline void __syncthreads() { emulatedBlock->wait(); }
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
  warp.lanes.wait();
  const float other = from < 32 ? warp.floats[from] : value;
  warp.lanes.wait();
  return other;
}
inline float __shfl_sync(unsigned, float value, int lane) { return exchanged(value, lane % 32); }
inline float __shfl_down_sync(unsigned, float value, int far) { return exchanged(value, threadIdx.x % 32 + far); }

inline float __shfl_xor_sync(unsigned, float value, int mask) { return exchanged(value, threadIdx.x % 32 ^ mask); }
inline int __any_sync(unsigned, int isTrue) {
  EmulatedWarp &warp = ownWarp();
  warp.floats[threadIdx.x % 32] = isTrue ? 1 : 0;
  warp.lanes.wait();
  bool isAny = false;
  for (const float each : warp.floats) isAny = isAny || each != 0;
  warp.lanes.wait();
  return isAny;
}

inline float powerOfTwo(float x) { return std::exp2(x); }
inline float __fdividef(float a, float b) { return a / b; }
inline float __expf(float x) { return std::exp(x); }
using std::fabs;
using std::fmaxf;
inline unsigned __float_as_int(float number) {
  unsigned bits;
  memcpy(&bits, &number, sizeof bits);
  return bits;
}
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
  warp.lanes.wait();
  const auto half = [](unsigned pair, int place) { return widened((unsigned short)(pair >> 16 * (place % 2))); };
  for (int i = 0; i < 4; i++) {
    const int row = lane / 4 + i / 2 * 8, column = lane % 4 * 2 + i % 2;
    for (int k = 0; k < 16; k++) {
      const unsigned left = warp.left[row % 8 * 4 + k % 8 / 2][row / 8 + k / 8 * 2];
      const unsigned right = warp.right[column * 4 + k % 8 / 2][k / 8];
      sum[i] += half(left, k) * half(right, k);
    }
  }
  warp.lanes.wait();
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
  warp.lanes.wait();
  for (int square = 0; square < 4; square++) {
    const auto half = [&](int i) -> unsigned {
      const int row = isTurned ? lane % 4 * 2 + i : lane / 4;
      const int column = isTurned ? lane / 4 : lane % 4 * 2 + i;
      return warp.rows[square * 8 + row][column];
    };
    squares[square] = half(0) | half(1) << 16;
  }
  warp.lanes.wait();
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

static const std::function<void()> *emulatedKernel;

inline void runLane() {
  (*emulatedKernel)();
  emulatedWarps[threadIdx.x / 32]->lanes.leave();
  emulatedBlock->leave();
  emulatedLanes[threadIdx.x]->isDone = true;
}

inline void runBlock(int threads) {
  emulatedWarps.clear();
  for (int warp = 0; warp < threads / 32; warp++) emulatedWarps.emplace_back(new EmulatedWarp);
  emulatedBlock = std::make_unique<EmulatedBarrier>(threads);
  while ((int)emulatedLanes.size() < threads) emulatedLanes.emplace_back(new EmulatedLane);
  for (int thread = 0; thread < threads; thread++) {
    EmulatedLane &lane = *emulatedLanes[thread];
    lane.isDone = false;
    getcontext(&lane.context);
    lane.context.uc_stack.ss_sp = lane.stack.data();
    lane.context.uc_stack.ss_size = lane.stack.size();
    lane.context.uc_link = &emulatedScheduler;
    makecontext(&lane.context, runLane, 0);
  }
  for (bool isBusy = true; isBusy;) {
    isBusy = false;
    for (int thread = 0; thread < threads; thread++) {
      EmulatedLane &lane = *emulatedLanes[thread];
      if (lane.isDone) continue;
      isBusy = true;
      threadIdx = {thread, 0, 0};
      swapcontext(&emulatedScheduler, &lane.context);
    }
  }
}

/** Runs a kernel for each block of a grid, one block after the other. */
inline void launch(Dim grid, int threads, const std::function<void()> &kernel) {
  emulatedKernel = &kernel;
  gridDim = grid;
  blockDim = {threads, 1, 1};
  for (int z = 0; z < grid.z; z++)
    for (int y = 0; y < grid.y; y++)
      for (int x = 0; x < grid.x; x++) {
        blockIdx = {x, y, z};
        runBlock(threads);
      }
}
