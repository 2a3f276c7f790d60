/** Binary search. */
import { realAt } from './number-at.js';

/** How many of ascending numbers are no larger than `most`. */
export function countUpTo(values: Float64Array, most: number): number {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (realAt(values, middle) <= most) low = middle + 1;
    else high = middle;
  }
  return low;
}
