/**
 * Position embeddings for pictures of another size than the model was made for: torch's bicubic interpolation of the grid
 * (a = -0.75, no antialiasing, half-pixel centres, borders repeated). The class token's row stays as it is.
 */
export function interpolatePositions(
  table: Float32Array,
  own: { readonly side: number; readonly width: number },
  wanted: { readonly rows: number; readonly columns: number },
): Float32Array {
  const { side, width } = own;
  const across = taps(side, wanted.columns);
  const down = taps(side, wanted.rows);
  const result = new Float32Array((wanted.rows * wanted.columns + 1) * width);
  result.set(table.subarray(0, width));
  let to = width;
  for (const { from: rows, weights: rowWeights } of down) {
    for (const { from: columns, weights: columnWeights } of across) {
      for (const [i, row] of rows.entries()) {
        for (const [j, column] of columns.entries()) {
          const weight = (rowWeights[i] ?? 0) * (columnWeights[j] ?? 0);
          const from = (1 + row * side + column) * width;
          for (let k = 0; k < width; k++) result[to + k] = (result[to + k] ?? 0) + weight * (table[from + k] ?? 0);
        }
      }
      to += width;
    }
  }
  return result;
}

interface Taps {
  readonly from: readonly number[];
  readonly weights: readonly number[];
}

/** For each output position, the four inputs it is made of. */
function taps(size: number, outSize: number): Taps[] {
  return Array.from({ length: outSize }, (_, position) => {
    const centre = (size / outSize) * (position + 0.5) - 0.5;
    const first = Math.floor(centre) - 1;
    const inputs = [first, first + 1, first + 2, first + 3];
    return {
      from: inputs.map((input) => Math.min(Math.max(input, 0), size - 1)),
      weights: inputs.map((input) => cubic(centre - input)),
    };
  });
}

/** Keys' cubic convolution kernel with a = -0.75, torch's choice (Pillow's is -0.5). */
function cubic(t: number): number {
  const a = -0.75;
  const x = Math.abs(t);
  return x <= 1 ? ((a + 2) * x - (a + 3)) * x * x + 1 : ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
}
