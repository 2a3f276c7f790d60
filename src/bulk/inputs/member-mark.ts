/**
 * What tells a member of an archive from another one of its name and size. A sample of its bytes, so that listing an archive does
 * not read all of it: pictures in compressed formats differ nearly everywhere once they differ. Times say less: archives that
 * are made again have others, or all the same.
 */
import { createHash } from 'node:crypto';

const SAMPLE_BYTES = 512;

/** Stretches `[begin, end)` of a member of so many bytes, in their order: its beginning, middle and end, or all of it. */
export function samplePlaces(size: number): (readonly [number, number])[] {
  if (size <= 3 * SAMPLE_BYTES) return [[0, size]];
  const begins = [0, Math.floor((size - SAMPLE_BYTES) / 2), size - SAMPLE_BYTES];
  return begins.map((begin) => [begin, begin + SAMPLE_BYTES] as const);
}

/** @param samples the bytes at those places */
export function memberMark(samples: readonly Uint8Array[]): string {
  const hash = createHash('sha256');
  for (const sample of samples) hash.update(sample);
  return hash.digest('hex').slice(0, 12);
}

/** The same of a whole member. */
export const markOf = (bytes: Uint8Array): string =>
  memberMark(samplePlaces(bytes.length).map(([begin, end]) => bytes.subarray(begin, end)));
