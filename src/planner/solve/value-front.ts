/**
 * Pairs of weight and value, none of which dominates another by being lighter and worth more: what a device can still gain
 * with the room it has left.
 */
import { realAt } from './number-at.js';

export interface ValueFront {
  /** Ascending; the first is the least that the device can take. */
  readonly weight: Float64Array;
  /** Ascending. */
  readonly value: Float64Array;
}

/** Not even nothing is possible. */
export const EMPTY: ValueFront = { weight: new Float64Array(0), value: new Float64Array(0) };

export const NOTHING: ValueFront = { weight: Float64Array.of(0), value: Float64Array.of(0) };

/** The most value within `room`; -Infinity where even the lightest pair is too heavy. */
export function valueWithin({ weight, value }: ValueFront, room: number): number {
  let low = 0;
  let high = weight.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (realAt(weight, middle) <= room) low = middle + 1;
    else high = middle;
  }
  return low === 0 ? -Infinity : realAt(value, low - 1);
}

/** Where fronts are made before their length is known. */
let weights = new Float64Array(1024);
let values = new Float64Array(1024);

/** Which pairs of a front are of use. */
export interface Limits {
  /** Heavier pairs do not fit. */
  readonly weight: number;
  /** A pair counts only if its value less `price` x its weight is at least `least`. */
  readonly price: number;
  readonly least: number;
  /** Most pairs kept; beyond that neighbours merge into one that is as light and as valuable as either. */
  readonly pairs: number;
}

/** The upper envelope of two fronts, the better of them at every weight; each is moved by a weight and a value first. */
export function upperEnvelope(
  a: ValueFront,
  [weightA, valueA]: readonly [number, number],
  b: ValueFront,
  [weightB, valueB]: readonly [number, number],
  limits: Limits,
): ValueFront {
  const { weight: aw, value: av } = a;
  const { weight: bw, value: bv } = b;
  const { price } = limits;
  const least = limits.least - 1e-9 * Math.abs(limits.least);
  const aEnd = aw.length;
  const bEnd = bw.length;
  if (weights.length < aEnd + bEnd) {
    weights = new Float64Array(2 * (aEnd + bEnd));
    values = new Float64Array(2 * (aEnd + bEnd));
  }
  let size = 0;
  let i = 0;
  let j = 0;
  let top = -Infinity;
  while (i < aEnd || j < bEnd) {
    const left = i < aEnd ? realAt(aw, i) + weightA : Infinity;
    const right = j < bEnd ? realAt(bw, j) + weightB : Infinity;
    const takeLeft = left <= right;
    const weight = takeLeft ? left : right;
    if (weight > limits.weight) break;
    const value = takeLeft ? realAt(av, i++) + valueA : realAt(bv, j++) + valueB;
    // Equal but for rounding is equal.
    if (value <= top + 1e-14 * Math.abs(top) || value - price * weight < least) continue;
    top = value;
    if (size > 0 && weights[size - 1] === weight) size -= 1;
    weights[size] = weight;
    values[size++] = value;
  }
  if (size > limits.pairs) size = coarsen(size, limits.pairs);
  return { weight: weights.slice(0, size), value: values.slice(0, size) };
}

/** In place: one pair per bucket of weight, with the bucket's least weight and greatest value. */
function coarsen(size: number, pairs: number): number {
  const first = realAt(weights, 0);
  const width = (realAt(weights, size - 1) - first) / (pairs / 2);
  let kept = 0;
  let bucket = -1;
  for (let k = 0; k < size; k++) {
    const own = Math.floor((realAt(weights, k) - first) / width);
    if (own !== bucket) weights[kept++] = realAt(weights, k);
    values[kept - 1] = realAt(values, k);
    bucket = own;
  }
  return kept;
}
