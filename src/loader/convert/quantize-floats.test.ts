import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { QUANT_BITS, QUANT_BLOCK_SIZE, QUANT_SCHEMES, type QuantScheme } from '../../tensor/quantized.js';
import { convertFloats, FLOAT_DTYPES, type FloatDtype } from './convert-floats.js';
import { KernelMemory } from './kernel-memory.js';
import { quantizeFloats, SCALE_BYTES } from './quantize-floats.js';

const scheme = fc.constantFrom(...QUANT_SCHEMES);
const dtype = fc.constantFrom(...FLOAT_DTYPES);
/** Several blocks, most often not whole ones, nor whole turns of a kernel. */
const floats = fc.array(fc.float({ min: -1000, max: 1000, noNaN: true }), { minLength: 1, maxLength: 300 });
const memory = new KernelMemory(4 * 300);

function stored(values: readonly number[], to: FloatDtype): Uint8Array {
  const bytes = new Uint8Array(values.length * (to === 'F32' ? 4 : 2));
  convertFloats(new Uint8Array(Float32Array.from(values).buffer), 'F32', bytes, to);
  return bytes;
}

function toNumbers(bytes: Uint8Array, from: FloatDtype): Float32Array {
  const numbers = new Float32Array(bytes.length / (from === 'F32' ? 4 : 2));
  convertFloats(bytes, from, new Uint8Array(numbers.buffer), 'F32');
  return numbers;
}

function quantize(source: Uint8Array, from: FloatDtype, to: QuantScheme) {
  const count = source.length / (from === 'F32' ? 4 : 2);
  const blocks = Math.ceil(count / QUANT_BLOCK_SIZE[to]);
  const integers = new Uint8Array((blocks * QUANT_BLOCK_SIZE[to] * QUANT_BITS[to]) / 8);
  const scales = new Uint8Array(blocks * SCALE_BYTES);
  const faulty = quantizeFloats(memory, source, from, to, integers, scales);
  return { integers, scales, faulty };
}

describe('quantizeFloats', () => {
  it('makes the same of bytes in the room of its memory and of others', () => {
    fc.assert(
      fc.property(floats, dtype, scheme, (values, from, to) => {
        const bytes = stored(values, from);
        const inRoom = memory.room.subarray(0, bytes.length);
        inRoom.set(bytes);
        expect(quantize(inRoom, from, to)).toEqual(quantize(bytes, from, to));
      }),
    );
  });

  it('is off by half a step at most, by one where int4 has no eighth, and fills the last block up with zeros', () => {
    fc.assert(
      fc.property(floats, dtype, scheme, (values, from, to) => {
        const bytes = stored(values, from);
        const { integers, scales, faulty } = quantize(bytes, from, to);
        expect(faulty).toBeNull();
        const steps = toNumbers(scales, 'F16');
        const codes =
          to === 'int8'
            ? [...integers].map((code) => code - 128)
            : [...integers].flatMap((pair) => [(pair & 15) - 8, (pair >> 4) - 8]);
        expect(codes.slice(values.length).every((code) => code === 0)).toBe(true);
        toNumbers(bytes, from).forEach((value, i) => {
          const code = codes[i] ?? Number.NaN;
          const step = steps[Math.floor(i / QUANT_BLOCK_SIZE[to])] ?? Number.NaN;
          const [most, largest] = to === 'int8' ? [0.5, 127] : [1, 8];
          // The step itself was rounded to float16: to 11 bits, or to 2^-24 where it is subnormal.
          const rounding = largest * Math.max(Math.abs(step) * 2 ** -11, 2 ** -25);
          expect(Math.abs(code * step - value)).toBeLessThanOrEqual(most * Math.abs(step) * 1.001 + rounding);
        });
      }),
    );
  });

  it('says which block has no finite scale', () => {
    const value = fc.constantFrom(Number.NaN, Infinity, -Infinity, 3e38, -3e38);
    fc.assert(
      fc.property(floats, fc.nat(), value, scheme, (values, at, bad, to) => {
        const position = at % values.length;
        const bytes = stored(values.with(position, bad), 'F32');
        expect(quantize(bytes, 'F32', to).faulty).toBe(Math.floor(position / QUANT_BLOCK_SIZE[to]));
      }),
    );
  });
});
