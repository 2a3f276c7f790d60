import { Tensor } from 'onnxruntime-node';

/** The rows (first axis) of a float32 tensor in the given order; rows may repeat or be left out. */
export function selectRows(tensor: Tensor, rows: readonly number[]): Tensor {
  const [, ...rest] = tensor.dims;
  const size = rest.reduce((product, dim) => product * dim, 1);
  const source = tensor.data as Float32Array;
  const selected = new Float32Array(rows.length * size);
  rows.forEach((row, index) => selected.set(source.subarray(row * size, (row + 1) * size), index * size));
  return new Tensor('float32', selected, [rows.length, ...rest]);
}
