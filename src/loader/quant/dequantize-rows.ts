import { QUANT_BITS, type QuantScheme } from '../../tensor/quantized.js';
import { convertFloats } from '../convert/convert-floats.js';

/** Whole rows of a weight in small integers, as the file has them. */
interface QuantizedRows {
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
  const codes = QUANT_BITS[scheme] === 8 ? values : halfBytes(values);
  const zero = 2 ** (QUANT_BITS[scheme] - 1);
  const rowBlocks = Math.ceil(columns / blockSize);
  const floats = new Float32Array((factors.length / rowBlocks) * columns);
  factors.forEach((factor, block) => {
    const row = Math.floor(block / rowBlocks);
    const column = (block - row * rowBlocks) * blockSize;
    const begin = block * blockSize;
    const target = row * columns + column;
    codes.subarray(begin, begin + Math.min(blockSize, columns - column)).forEach((code, i) => {
      floats[target + i] = (code - zero) * factor;
    });
  });
  return floats;
}

/** Two numbers of each byte, the low one first. */
function halfBytes(pairs: Uint8Array): Uint8Array {
  const codes = new Uint8Array(2 * pairs.length);
  pairs.forEach((pair, i) => {
    codes[2 * i] = pair & 15;
    codes[2 * i + 1] = pair >> 4;
  });
  return codes;
}
