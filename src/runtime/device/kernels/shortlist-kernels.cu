#include "halves.cuh"

/** Threads that look through a row. */
#define LOOKERS 512
/** What a shortlist has room for. */
#define LISTED 128

/** What a row of logits is chosen from. `read-shortlist.ts` reads it. */
struct alignas(16) Shortlist {
  float greatest;
  /** All logits that are not listed are less. */
  float least;
  /** Of the exponentials of all logits less the greatest, both divided by the divisor. */
  double sum;
  /** How many logits are `least` or more: there is no room for more than `LISTED`. */
  u32 count;
  u32 isFinite;
  u32 unused[2];
  /** Ascending. */
  u32 ids[LISTED];
  float logits[LISTED];
};

/**
 * The shortlist of each row of `width` logits: of the greatest logits that the threads find in their parts of the row, the one that
 * `wanted` of them reach, and all logits that reach it.
 * @param divisor of logits in the sum: a temperature
 */
KERNEL_OF(LOOKERS, 2) shortlists(const float *logits, Shortlist *lists, int width, int wanted, float divisor) {
  __shared__ float greatest[LOOKERS];
  __shared__ double sums[LOOKERS];
  __shared__ float least;
  __shared__ u32 count, strange;
  __shared__ u32 ids[LISTED];
  __shared__ float reaching[LISTED];
  const int thread = threadIdx.x;
  const float *row = logits + (long long)blockIdx.x * width;
  Shortlist *list = lists + blockIdx.x;
  if (thread == 0) {
    least = NOTHING;
    count = strange = 0;
  }
  __syncthreads();

  float own = NOTHING;
  bool isStrange = false;
#pragma unroll 4
  for (int id = thread; id < width; id += LOOKERS) {
    const float logit = row[id];
    // Nothing less than infinity is NaN.
    isStrange = isStrange || !(fabsf(logit) < -NOTHING);
    own = fmaxf(own, logit);
  }
  greatest[thread] = own;
  if (isStrange) atomicAdd(&strange, 1u);
  __syncthreads();

  float top = NOTHING;
  int before = 0;
  for (int other = 0; other < LOOKERS; other++) {
    const float its = greatest[other];
    top = fmaxf(top, its);
    before += its > own || (its == own && other < thread);
  }
  if (before == wanted - 1) least = own;
  __syncthreads();

  double sum = 0;
#pragma unroll 4
  for (int id = thread; id < width; id += LOOKERS) {
    const float logit = row[id];
    sum += exp((double)(logit / divisor) - (double)(top / divisor));
    if (!(logit >= least)) continue;
    const u32 place = atomicAdd(&count, 1u);
    if (place >= LISTED) continue;
    ids[place] = id;
    reaching[place] = logit;
  }
  sums[thread] = sum;
  __syncthreads();
  for (int half = LOOKERS / 2; half > 0; half /= 2) {
    if (thread < half) sums[thread] += sums[thread + half];
    __syncthreads();
  }
  if (thread < count && count <= LISTED) {
    int place = 0;
    for (int other = 0; other < count; other++) place += ids[other] < ids[thread];
    list->ids[place] = ids[thread];
    list->logits[place] = reaching[thread];
  }
  if (thread != 0) return;
  list->greatest = top;
  list->least = least;
  list->sum = sums[0];
  list->count = count;
  list->isFinite = strange == 0;
}
