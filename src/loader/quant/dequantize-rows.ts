import { QUANT_BITS, type QuantScheme } from '../../tensor/quantized.js';
import { convertFloats } from '../convert/convert-floats.js';

/** Whole rows of a weight in small integers, as the file has them. */
export interface QuantizedRows {
  readonly scheme: QuantScheme;
  readonly blockSize: number;
  /** U8 `[rows, blocks, bytes of a block]` */
  readonly values: Uint8Array;
  /** F16 `[rows, blocks]` */
  readonly scales: Uint8Array;
}

/** float32 `[rows, columns]`: what the integers stand for. */
export function dequantizeRows({ scheme, blockSize, values, scales }: QuantizedRows, columns: number): Float32Array {
  const factors = new Float32Array(scales.length / 2);
  convertFloats(scales, 'F16', new Uint8Array(factors.buffer), 'F32');
  const rowBlocks = Math.ceil(columns / blockSize);
  const rows = factors.length / rowBlocks;
  const bits = QUANT_BITS[scheme];
  const zero = 2 ** (bits - 1);
  const floats = new Float32Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const block = row * rowBlocks + Math.floor(column / blockSize);
      const at = block * blockSize + (column % blockSize);
      const code = bits === 8 ? (values[at] ?? 0) : ((values[at >> 1] ?? 0) >> (4 * (at % 2))) & 15;
      floats[row * columns + column] = (code - zero) * (factors[block] ?? 0);
    }
  }
  return floats;
}
