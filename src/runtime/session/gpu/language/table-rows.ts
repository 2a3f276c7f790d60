/** Rows of a checkpoint's table, looked up in the mapped file: a token's row is a few kilobytes of a large table. */
import { convertFloats } from '../../../../loader/convert/convert-floats.js';
import type { Dtype } from '../../../../tensor/dtype.js';
import { DTYPE_BITS } from '../../../../tensor/dtype.js';

/** Rows one after the other, as they are stored. */
export interface StoredRows {
  readonly bytes: Uint8Array;
  readonly dtype: Dtype;
}

export class TableRows {
  readonly width: number;
  readonly #table: StoredRows;

  constructor(width: number, table: StoredRows) {
    this.width = width;
    this.#table = table;
  }

  /** In the file's memory. */
  stored(index: number): StoredRows {
    const { bytes, dtype } = this.#table;
    const rowBytes = (this.width * DTYPE_BITS[dtype]) / 8;
    return { bytes: bytes.subarray(index * rowBytes, (index + 1) * rowBytes), dtype };
  }

  row(index: number): Float32Array {
    const { bytes, dtype } = this.stored(index);
    const row = new Float32Array(this.width);
    convertFloats(bytes, dtype, new Uint8Array(row.buffer), 'F32');
    return row;
  }
}
