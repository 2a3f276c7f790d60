import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { DTYPE_BITS } from '../../tensor/dtype.js';
import { QUANT_BLOCK_SIZE, QUANT_SCHEMES, type QuantScheme } from '../../tensor/quantized.js';
import { convertFloats, FLOAT_DTYPES, type FloatDtype } from './convert-floats.js';
import { KernelMemory } from './kernel-memory.js';
import { BlockQuantizer, SCALE_BYTES } from './quantize-blocks.js';

/** Several blocks, most often not whole ones, nor whole turns of a kernel. */
const floats = fc.array(fc.float({ min: -1000, max: 1000, noNaN: true }), { minLength: 1, maxLength: 300 });
const memory = new KernelMemory(4 * 300);
const quantizer = new BlockQuantizer(memory);

function stored(values: readonly number[], to: FloatDtype): Uint8Array {
  const bytes = new Uint8Array((values.length * DTYPE_BITS[to]) / 8);
  convertFloats(new Uint8Array(Float32Array.from(values).buffer), 'F32', bytes, to);
  return bytes;
}

function quantize(source: Uint8Array, from: FloatDtype, to: QuantScheme) {
  const blocks = Math.ceil((source.length * 8) / DTYPE_BITS[from] / QUANT_BLOCK_SIZE[to]);
  const [integers, scales] = [new Uint8Array(32 * blocks), new Uint8Array(SCALE_BYTES * blocks)];
  const faulty = quantizer.quantize(source, from, to, integers, scales);
  return { integers, scales, faulty };
}

it('makes the same of bytes in the room of its memory and of others', () => {
  fc.assert(
    fc.property(floats, fc.constantFrom(...FLOAT_DTYPES), fc.constantFrom(...QUANT_SCHEMES), (values, from, to) => {
      const bytes = stored(values, from);
      const inRoom = memory.room.subarray(0, bytes.length);
      inRoom.set(bytes);
      expect(quantize(inRoom, from, to)).toEqual(quantize(bytes, from, to));
    }),
  );
});
