import { describe, expect, it } from 'vitest';
import { quantizedInfos, quantizedNames, storedBlockSize, storedScheme, type QuantScheme } from './quantized.js';
import { tensorBytes } from './tensor-info.js';

describe('quantised weights', () => {
  it('take one byte or half a byte per value and two bytes per block', () => {
    const bytesOf = (scheme: QuantScheme) => {
      const { values, scales } = quantizedInfos([10240, 2560], scheme);
      return tensorBytes(values) + tensorBytes(scales);
    };
    expect(bytesOf('int8')).toBe(10240 * (2560 + 2 * 80));
    expect(bytesOf('int4')).toBe(10240 * (1280 + 2 * 40));
  });

  it('pad the last block of a row', () => {
    expect(quantizedInfos([3, 65], 'int4').values.shape).toEqual([3, 2, 32]);
    expect(quantizedInfos([3, 65], 'int8').scales.shape).toEqual([3, 3]);
  });

  it('are found again by their names and shapes', () => {
    const { values } = quantizedInfos([4, 128], 'int4');
    const tensors = new Map([[quantizedNames('fc1.weight', 'int4').values, values]]);
    expect(storedScheme(tensors, 'fc1.weight')).toBe('int4');
    expect(storedScheme(tensors, 'fc2.weight')).toBeNull();
    expect(storedBlockSize(values, 'int4')).toBe(64);
  });
});
