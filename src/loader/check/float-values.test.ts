import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import type { Dtype } from '../../tensor/dtype.js';
import { countNonFinite, floatValues } from './float-values.js';

/**
 * SHA-256 of what torch 2.15 makes of the bytes from 0 to 255: `torch.arange(256).to(torch.uint8).view(dtype).float()`, NaN being
 * 0x7fc00000.
 */
it.each<[Dtype, string]>([
  ['F8_E5M2', '229a94c5f728edf2259da970a0e1dfb45cc1d69cce2b30e37659f3212ec4b8b9'],
  ['F8_E4M3', '422eccfaa21e72a6b26855bb10cdcfead6c1ce3262ecd813c99d8cbf9677f2e2'],
  ['F8_E5M2FNUZ', 'aac12d2730bf26ca53bfa107a7a6a8df192aba8cf58b971eec9126f83991e6d4'],
  ['F8_E4M3FNUZ', 'ac4866f772a7c08077713fde1fa54131d49c26339c885e971a24fc0fac6e33f4'],
  ['F8_E8M0', '2fb2732a956043772ccd2c1664ae5d2558c62f9c06780c04d95f1ff0050f2f2f'],
])('has the values of %s', (dtype, sha256) => {
  const values = floatValues(
    Uint8Array.from({ length: 256 }, (_, byte) => byte),
    dtype,
  );
  const bits = new Uint32Array(new Float32Array(values).buffer).map((word, i) =>
    Number.isNaN(values[i]) ? 0x7fc00000 : word,
  );
  expect(createHash('sha256').update(new Uint8Array(bits.buffer)).digest('hex')).toBe(sha256);
});

const { NaN: nan, POSITIVE_INFINITY: infinity } = Number;

it.each<[Dtype, Float64Array | Float32Array | Uint16Array | Uint8Array | BigInt64Array, number]>([
  ['F64', Float64Array.of(1, nan, -infinity, 1e300), 2],
  ['F32', Float32Array.of(1, nan, infinity), 2],
  ['C64', Float32Array.of(1, nan, infinity, 0), 2],
  ['F16', Uint16Array.of(0x7c00, 0x7bff, 0xfe00), 2],
  ['BF16', Uint16Array.of(0x7f80, 0x7f7f, 0xffc0), 2],
  ['I64', BigInt64Array.of(-1n), 0],
  ['F8_E4M3', Uint8Array.of(0x7f, 0xff, 0x7e), 2],
  ['F6_E2M3', Uint8Array.of(0xff, 0xff, 0xff), 0],
])('counts in %s', (dtype, values, count) => {
  expect(countNonFinite(new Uint8Array(values.buffer), dtype)).toBe(count);
});
