/** What OPT's decoder reads: rows of the token table, or of the picture, plus rows of the position table. */
import { convertFloats } from '../../../loader/convert/convert-floats.js';
import type { Dtype } from '../../../tensor/dtype.js';
import { DTYPE_BITS } from '../../../tensor/dtype.js';

export interface RowTable {
  readonly bytes: Uint8Array;
  readonly dtype: Dtype;
}

/** The first two rows of OPT's position table belong to padding. */
const FIRST_POSITION = 2;

export class TokenRows {
  readonly width: number;
  readonly #tokens: RowTable;
  readonly #positions: RowTable;

  constructor(width: number, tokens: RowTable, positions: RowTable) {
    this.width = width;
    this.#tokens = tokens;
    this.#positions = positions;
  }

  ofToken(id: number): Float32Array {
    return readRow(this.#tokens, id, this.width);
  }

  /** Writes rows, each at its position, as `dtype`. */
  write(rows: readonly Float32Array[], firstPosition: number, target: Uint8Array, dtype: 'F16' | 'F32'): void {
    const sums = new Float32Array(rows.length * this.width);
    rows.forEach((row, index) => {
      const position = readRow(this.#positions, firstPosition + index + FIRST_POSITION, this.width);
      const at = index * this.width;
      for (let i = 0; i < this.width; i++) sums[at + i] = (row[i] ?? 0) + (position[i] ?? 0);
    });
    convertFloats(new Uint8Array(sums.buffer), 'F32', target, dtype);
  }
}

function readRow({ bytes, dtype }: RowTable, index: number, width: number): Float32Array {
  const rowBytes = (width * DTYPE_BITS[dtype]) / 8;
  const row = new Float32Array(width);
  convertFloats(bytes.subarray(index * rowBytes, (index + 1) * rowBytes), dtype, new Uint8Array(row.buffer), 'F32');
  return row;
}
