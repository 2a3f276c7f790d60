/** Array access that must hit: an index out of range is an error, never a nothing that costs nothing and weighs nothing. */

/** @throws RangeError where there is no such element */
export function at<T>(values: readonly T[], index: number): T {
  const value = values[index];
  if (value === undefined) throw new RangeError(`no element ${index} of ${values.length}`);
  return value;
}

/** The same for the numbers that inner loops read, apart so that each of these functions sees one kind of array. */
export function realAt(values: Float64Array, index: number): number {
  const value = values[index];
  if (value === undefined) throw new RangeError(`no number ${index} of ${values.length}`);
  return value;
}

export function wholeAt(values: Int32Array, index: number): number {
  const value = values[index];
  if (value === undefined) throw new RangeError(`no number ${index} of ${values.length}`);
  return value;
}
