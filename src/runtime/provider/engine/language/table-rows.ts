/** Rows of a checkpoint's table, looked up in the mapped file: a token's row is a few kilobytes of a large table. */
import { convertFloats } from '../../../../loader/convert/convert-floats.js';
import type { Dtype } from '../../../../tensor/dtype.js';
import { DTYPE_BITS } from '../../../../tensor/dtype.js';

export class TableRows {
  readonly width: number;
  readonly #bytes: Uint8Array;
  readonly #dtype: Dtype;

  constructor(width: number, table: { readonly bytes: Uint8Array; readonly dtype: Dtype }) {
    this.width = width;
    this.#bytes = table.bytes;
    this.#dtype = table.dtype;
  }

  row(index: number): Float32Array {
    const rowBytes = (this.width * DTYPE_BITS[this.#dtype]) / 8;
    const row = new Float32Array(this.width);
    const bytes = this.#bytes.subarray(index * rowBytes, (index + 1) * rowBytes);
    convertFloats(bytes, this.#dtype, new Uint8Array(row.buffer), 'F32');
    return row;
  }
}
