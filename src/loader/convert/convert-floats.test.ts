import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KernelMemory } from './kernel-memory.js';
import { convertFloats, convertFloatsIn, FLOAT_DTYPES, type FloatDtype } from './convert-floats.js';

const recorded = JSON.parse(
  readFileSync(new URL('../../../test/fixtures/loader/conversions.json', import.meta.url), 'utf8'),
) as { sha256: Record<string, string> };

// The inputs that test/fixtures/loader/make_conversions.py gave to PyTorch.
const LOW = [
  0x0000, 0x0001, 0x0fff, 0x1000, 0x1001, 0x1fff, 0x2000, 0x3000, 0x7fff, 0x8000, 0x8001, 0x9000, 0xa000, 0xefff, 0xf000, 0xffff,
]; // prettier-ignore
const float32Bits = Uint32Array.from(
  { length: 65_536 * LOW.length },
  (_, i) => (i % 65_536) * 65_536 + (LOW[i >> 16] ?? 0),
);
const float16Bits = Uint16Array.from({ length: 65_536 }, (_, i) => i);
const BYTES = { F32: 4, F16: 2, BF16: 2 };

function convert(source: Uint8Array, from: FloatDtype, to: FloatDtype): Uint8Array {
  const target = new Uint8Array((source.length / BYTES[from]) * BYTES[to]);
  convertFloats(source, from, target, to);
  return target;
}

const bytesOf = (array: Uint32Array | Uint16Array | Float32Array) =>
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

describe('convertFloats', () => {
  it.each([
    ['F32', 'F16'],
    ['F32', 'BF16'],
    ['F16', 'F32'],
    ['BF16', 'F32'],
    ['F16', 'BF16'],
    ['BF16', 'F16'],
  ] as const)('%s to %s, bit for bit as PyTorch', (from, to) => {
    const source = from === 'F32' ? bytesOf(float32Bits) : bytesOf(float16Bits);
    const digest = createHash('sha256')
      .update(convert(source, from, to))
      .digest('hex');
    expect(digest).toBe(recorded.sha256[`${from}-${to}`]);
  });

  it.each(['F16', 'BF16'] as const)(
    'converts to %s and back in its own memory, the odd values at the end too',
    (dtype) => {
      const full = bytesOf(float32Bits).subarray(0, 4 * (float32Bits.length - 3));
      const memory = new KernelMemory(full.length + full.length / 2);
      const source = memory.room.subarray(0, full.length);
      const half = memory.room.subarray(full.length);
      source.set(full);
      convertFloatsIn(memory, source, 'F32', half, dtype);
      expect(Buffer.compare(half, convert(full, 'F32', dtype))).toBe(0);
      const back = convert(half, dtype, 'F32');
      convertFloatsIn(memory, half, dtype, source, 'F32');
      expect(Buffer.compare(source, back)).toBe(0);
    },
  );

  it.each([
    ['F32', 'F16'],
    ['F16', 'F32'],
  ] as const)('%s to %s is the same with and without a value near by that is not a number', (from, to) => {
    const full = from === 'F32';
    const exponent = full ? 0x7f800000 : 0x7c00;
    const finite = [...(full ? float32Bits : float16Bits)].filter((bits) => (bits & exponent) !== exponent);
    const toBytes = (bits: readonly number[]) => bytesOf(full ? Uint32Array.from(bits) : Uint16Array.from(bits));
    const converted = (bits: readonly number[]) => {
      const { buffer } = convert(toBytes(bits), from, to);
      return [...(full ? new Uint16Array(buffer) : new Uint32Array(buffer))];
    };
    // One among every eight values, which a kernel converts at a time.
    const amongNan = finite.flatMap((bits, i) => (i % 7 === 0 ? [0x7fff_ffff >> (full ? 0 : 16), bits] : [bits]));
    const kept = converted(amongNan).filter((_, i) => i % 8 !== 0);
    expect(Buffer.compare(bytesOf(Uint32Array.from(kept)), bytesOf(Uint32Array.from(converted(finite))))).toBe(0);
  });

  it('gives float16 and bfloat16 back after float32, whatever the length and alignment', () => {
    const sixteenBit = fc.constantFrom<FloatDtype>('F16', 'BF16');
    const values = fc.uint16Array({ max: 0x7c00, maxLength: 70 });
    fc.assert(
      fc.property(sixteenBit, values, fc.nat(3), (dtype, bits, shift) => {
        const bytes = new Uint8Array(bits.byteLength + shift).subarray(shift);
        bytes.set(bytesOf(bits));
        expect(convert(convert(bytes, dtype, 'F32'), 'F32', dtype)).toEqual(bytesOf(bits));
      }),
    );
  });

  it('copies where nothing changes, refuses what it cannot convert', () => {
    expect(convert(Uint8Array.of(1, 2, 3, 4), 'F32', 'F32')).toEqual(Uint8Array.of(1, 2, 3, 4));
    expect(() => convertFloats(new Uint8Array(8), 'F64', new Uint8Array(4), 'F32')).toThrow(
      expect.objectContaining({ code: 'CONVERSION_UNSUPPORTED' }),
    );
    expect(() => convertFloats(new Uint8Array(8), 'F32', new Uint8Array(8), 'F16')).toThrow(RangeError);
    for (const dtype of FLOAT_DTYPES) expect(convert(new Uint8Array(0), dtype, 'F32')).toHaveLength(0);
  });
});
