/** Access that must hit: an index out of range is an error, never a nothing that costs nothing and weighs nothing. */

/** @throws RangeError where there is no such element */
export function at<T>(values: readonly T[], index: number): T {
  const value = values[index];
  return value === undefined ? missing(index, values) : value;
}

/** The same for numbers, which inner loops read: apart so that each of these functions sees one kind of array. */
export function numberAt(values: readonly number[], index: number): number {
  return values[index] ?? missing(index, values);
}

export function realAt(values: Float64Array, index: number): number {
  return values[index] ?? missing(index, values);
}

export function wholeAt(values: Int32Array, index: number): number {
  return values[index] ?? missing(index, values);
}

export function valueOf<K, V>(values: ReadonlyMap<K, V>, key: K): V {
  const value = values.get(key);
  if (value === undefined) throw new RangeError(`no value for ${String(key)}`);
  return value;
}

/** Apart from the accessors, which have to be small to be compiled into the loops that call them. */
function missing(index: number, { length }: ArrayLike<unknown>): never {
  throw new RangeError(`no element ${index} of ${length}`);
}
