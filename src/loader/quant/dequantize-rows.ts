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
  const bits = QUANT_BITS[scheme];
  const zero = 2 ** (bits - 1);
  const rowBlocks = Math.ceil(columns / blockSize);
  const floats = new Float32Array((factors.length / rowBlocks) * columns);
  let written = 0;
  factors.forEach((factor, block) => {
    const length = Math.min(blockSize, columns - (block % rowBlocks) * blockSize);
    for (let at = block * blockSize, end = at + length; at < end; at++) {
      const byte = values[bits === 8 ? at : at >> 1];
      if (byte === undefined)
        throw new RangeError(`${values.length} bytes for ${factors.length} blocks of ${blockSize}`);
      const code = bits === 8 ? byte : (byte >> (4 * (at % 2))) & 15;
      floats[written++] = (code - zero) * factor;
    }
  });
  return floats;
}
