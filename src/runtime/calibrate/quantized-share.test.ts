import { expect, it } from 'vitest';
import { UNKNOWN_HOST } from '../../planner/price/known-devices.js';
import { quantizedShare } from './quantized-share.js';

it('is the usual one where memory is slow', () => {
  expect(quantizedShare(10e9, 2)).toEqual(UNKNOWN_HOST.quantizedBandwidth);
});

it('is what the cores manage where memory is fast', () => {
  const { int8, int4 } = quantizedShare(43.3e9, 2);
  // A token's products by int8 and int4 took 32 and 16.4 ms there where those by float32, of four and eight times the bytes, took 40.5.
  expect(int8).toBeCloseTo(40.5 / 32 / (4 / 1.0625), 1);
  expect(int4).toBeCloseTo(40.5 / 16.4 / (4 / 0.53), 1);
  expect(quantizedShare(43.3e9, 4).int8).toBeGreaterThan(int8);
});
