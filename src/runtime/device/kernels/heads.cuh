// What kernels of attention share.
#ifndef HEADS
#define HEADS

/** Queries of a warp, and keys of a step: what a product of fragments takes. */
#define TILE 16
#define LOG2_E 1.4426950408889634f

/** Cosines and sines of every position's angles, [positions, headSize / 2]; null where heads are not turned by their positions. */
struct Angles {
  const u16 *cosines, *sines;
};

/** Two numbers of a head, each turned with the one half a head away, which `sign` says is the first of both (-1) or the second. */
__device__ __forceinline__ u32 turnedPair(u32 own, u32 other, u32 cosines, u32 sines, float sign) {
  return narrowedPair(widened((u16)own) * widened((u16)cosines) + sign * (widened((u16)other) * widened((u16)sines)),
                      widened((u16)(own >> 16)) * widened((u16)(cosines >> 16)) +
                          sign * (widened((u16)(other >> 16)) * widened((u16)(sines >> 16))));
}

/** Eight numbers of a head from `at` on, turned by the angles of its position. headSize is a multiple of 16. */
__device__ __forceinline__ Quad turned(const u16 *head, int at, int headSize, const Angles &angles, int position) {
  const int half = headSize / 2;
  const bool isFirst = at < half;
  const long long row = (long long)position * half + (isFirst ? at : at - half);
  const Quad own = *(const Quad *)(head + at), other = *(const Quad *)(head + (isFirst ? at + half : at - half));
  const Quad c = *(const Quad *)(angles.cosines + row), s = *(const Quad *)(angles.sines + row);
  const float sign = isFirst ? -1.0f : 1.0f;
  return Quad{turnedPair(own.x, other.x, c.x, s.x, sign), turnedPair(own.y, other.y, c.y, s.y, sign),
              turnedPair(own.z, other.z, c.z, s.z, sign), turnedPair(own.w, other.w, c.w, s.w, sign)};
}

#endif
