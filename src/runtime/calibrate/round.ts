/** Four digits: more would be noise. */
export function round(value: number): number {
  return Number(value.toPrecision(4));
}
