/** Look-ups that must hit: a miss is an error, never a default that costs nothing and weighs nothing. */

/** @throws RangeError where there is no such element */
export function at<T>(values: ArrayLike<T>, index: number): T {
  const value = values[index];
  if (value === undefined) throw new RangeError(`no element ${index} of ${values.length}`);
  return value;
}

/** @throws RangeError where the map has no such key */
export function found<K extends string | number, V>(map: ReadonlyMap<K, V>, key: K): V {
  const value = map.get(key);
  if (value === undefined) throw new RangeError(`nothing is known of ${key}`);
  return value;
}
