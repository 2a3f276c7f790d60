/** What waits of a picture between encoding and decoding: its rows for the language model, in the float of who made them. */
import { Tensor } from 'onnxruntime-node';

/** Float32, or float16 as the bits of each number. */
export type PictureRows = Float32Array | Uint16Array;

/** The rows of each picture, as parts of the tensor's memory. */
export function rowsOf({ data, type }: Tensor, pictures: number): PictureRows[] {
  if (!(data instanceof Float32Array || data instanceof Uint16Array)) throw new TypeError(`rows of ${type}`);
  const size = data.length / pictures;
  return Array.from({ length: pictures }, (_, picture) => data.subarray(picture * size, (picture + 1) * size));
}

/** @param dims of each picture's rows */
export function batchTensor(rows: readonly PictureRows[], dims: readonly number[]): Tensor {
  const shape = [rows.length, ...dims];
  const all = joinedRows(rows);
  return all instanceof Float32Array ? new Tensor('float32', all, shape) : new Tensor('float16', all, shape);
}

/** One after the other; without a copy where they lie so. */
function joinedRows<Rows extends PictureRows>(rows: readonly Rows[]): Rows {
  const [first] = rows;
  if (first === undefined) throw new RangeError('no rows');
  const size = first.length;
  const isTogether = rows.every(
    ({ buffer, byteOffset }, index) =>
      buffer === first.buffer && byteOffset === first.byteOffset + index * first.byteLength,
  );
  const Numbers = first.constructor as new (...given: [ArrayBufferLike, number, number] | [number]) => Rows;
  if (isTogether) return new Numbers(first.buffer, first.byteOffset, rows.length * size);
  const all = new Numbers(rows.length * size);
  rows.forEach((each, index) => all.set(each, index * size));
  return all;
}
