import { describe, expect, it } from 'vitest';
import { positionBucket } from './position-buckets.js';

const t5 = { relativeBuckets: 32, relativeMaxDistance: 128 };

/** First distance of each bucket from 8 on (encoder) and from 16 on (decoder), as transformers' T5 assigns them. */
const ENCODER = [8, 12, 16, 23, 32, 46, 64, 91];
const DECODER = [16, 19, 21, 24, 27, 31, 35, 40, 46, 52, 59, 67, 77, 87, 99, 113];

const bucketIn = (starts: readonly number[], exact: number, distance: number): number =>
  distance < exact ? distance : exact + starts.filter((start) => start <= distance).length - 1;

describe('positionBucket', () => {
  it('gives the encoder a half for keys before and a half for keys after', () => {
    for (let apart = 0; apart <= 600; apart++) {
      const bucket = bucketIn(ENCODER, 8, apart);
      expect(positionBucket(-apart, t5, true), `-${apart}`).toBe(bucket);
      if (apart > 0) expect(positionBucket(apart, t5, true), `+${apart}`).toBe(16 + bucket);
    }
  });

  it('gives the decoder all buckets for keys before, and the first for keys after', () => {
    for (let apart = 0; apart <= 600; apart++) {
      expect(positionBucket(-apart, t5, false), `-${apart}`).toBe(bucketIn(DECODER, 16, apart));
      expect(positionBucket(apart, t5, false), `+${apart}`).toBe(0);
    }
  });
});
