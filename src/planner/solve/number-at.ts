/** `checked-access.ts` for the numbers that inner loops read: apart, so that each of these functions sees one kind of array. */

/** @throws RangeError where there is no such number; so do the others */
export function numberAt(values: readonly number[], index: number): number {
  return values[index] ?? missing(index, values);
}

export function realAt(values: Float64Array, index: number): number {
  return values[index] ?? missing(index, values);
}

export function wholeAt(values: Int32Array, index: number): number {
  return values[index] ?? missing(index, values);
}

/** Apart from the accessors, which have to be small to be compiled into the loops that call them. */
function missing(index: number, { length }: ArrayLike<unknown>): never {
  throw new RangeError(`no number ${index} of ${length}`);
}
