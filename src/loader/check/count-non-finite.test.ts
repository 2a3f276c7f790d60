import { expect, it } from 'vitest';
import type { Dtype } from '../../tensor/dtype.js';
import { countNonFinite } from './count-non-finite.js';

/** `(~torch.isfinite(torch.arange(256).to(torch.uint8).view(dtype).float())).nonzero()`, torch 2.15. */
it.each<[Dtype, number[]]>([
  ['F8_E5M2', [0x7c, 0x7d, 0x7e, 0x7f, 0xfc, 0xfd, 0xfe, 0xff]],
  ['F8_E4M3', [0x7f, 0xff]],
  ['F8_E8M0', [0xff]],
  ['F8_E5M2FNUZ', [0x80]],
  ['F8_E4M3FNUZ', [0x80]],
  ['U8', []],
  ['F6_E2M3', []],
])('knows the bytes of %s', (dtype, unusual) => {
  const found = Array.from({ length: 256 }, (_, byte) => byte).filter(
    (byte) => countNonFinite(Uint8Array.of(byte), dtype) > 0,
  );
  expect(found).toEqual(unusual);
});

const { NaN: nan, POSITIVE_INFINITY: infinity } = Number;

it.each<[Dtype, Float64Array | Float32Array | Uint16Array | BigInt64Array, number]>([
  ['F64', Float64Array.of(1, nan, -infinity, 1e300), 2],
  ['F32', Float32Array.of(1, nan, infinity), 2],
  ['C64', Float32Array.of(1, nan, infinity, 0), 2],
  ['F16', Uint16Array.of(0x7c00, 0x7bff, 0xfe00), 2],
  ['BF16', Uint16Array.of(0x7f80, 0x7f7f, 0xffc0), 2],
  ['I64', BigInt64Array.of(-1n), 0],
])('counts in %s', (dtype, values, count) => {
  expect(countNonFinite(new Uint8Array(values.buffer), dtype)).toBe(count);
});
