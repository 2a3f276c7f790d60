import { Tensor } from 'onnxruntime-node';
import type { T5Config } from '../../../model/t5-config.js';

/**
 * T5's bucket of a key's distance from a query. Near keys have a bucket each; further ones share buckets that widen
 * with the logarithm of the distance. The logarithm is taken in float32, as transformers takes it.
 * @param distance index of the key minus index of the query
 * @param twoSided whether keys after the query have buckets of their own (encoder) or share the query's (decoder)
 */
export function positionBucket(
  distance: number,
  { relativeBuckets, relativeMaxDistance }: Pick<T5Config, 'relativeBuckets' | 'relativeMaxDistance'>,
  twoSided: boolean,
): number {
  const buckets = twoSided ? Math.floor(relativeBuckets / 2) : relativeBuckets;
  const first = twoSided && distance > 0 ? buckets : 0;
  const apart = twoSided ? Math.abs(distance) : Math.max(-distance, 0);
  const exact = Math.floor(buckets / 2);
  if (apart < exact) return first + apart;
  const { fround } = Math;
  const logarithm = fround(Math.log(fround(apart / exact)));
  const share = fround(logarithm / fround(Math.log(relativeMaxDistance / exact)));
  return first + Math.min(buckets - 1, exact + Math.trunc(fround(share * (buckets - exact))));
}

/** Buckets of the last `queries` of `length` tokens towards all of them, int64 `[queries, length]`. */
export function positionBuckets(config: T5Config, queries: number, length: number, twoSided: boolean): Tensor {
  const buckets = new BigInt64Array(queries * length);
  for (let row = 0; row < queries; row++) {
    const query = length - queries + row;
    for (let key = 0; key < length; key++) {
      buckets[row * length + key] = BigInt(positionBucket(key - query, config, twoSided));
    }
  }
  return new Tensor('int64', buckets, [queries, length]);
}
