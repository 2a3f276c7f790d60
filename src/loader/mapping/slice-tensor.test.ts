import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { TensorView } from './tensor-view.js';
import { parseSlice, sliceTensor } from './slice-tensor.js';

interface Case {
  readonly slice: string;
  readonly error?: true;
  readonly shape?: number[];
  readonly values?: number[];
}

const { cases } = JSON.parse(
  readFileSync(new URL('../../../test/fixtures/loader/slices.json', import.meta.url), 'utf8'),
) as { cases: Case[] };

const numbers = Int16Array.from({ length: 60 }, (_, i) => i);
const view: TensorView = { name: 't', dtype: 'I16', shape: [3, 4, 5], bytes: new Uint8Array(numbers.buffer) };
const invalid = expect.objectContaining({ code: 'SLICE_INVALID' });

describe('sliceTensor', () => {
  it.each(cases)('[$slice] as numpy', ({ slice, error, shape, values }) => {
    if (error === true) {
      expect(() => sliceTensor(view, parseSlice(slice))).toThrow(invalid);
      return;
    }
    const part = sliceTensor(view, parseSlice(slice));
    expect(part.shape).toEqual(shape);
    expect([...new Int16Array(part.bytes.buffer)]).toEqual(values);
  });

  it('takes all of an empty dimension and of a scalar', () => {
    const empty: TensorView = { name: 'e', dtype: 'F32', shape: [0, 3], bytes: new Uint8Array(0) };
    expect(sliceTensor(empty, parseSlice(':')).shape).toEqual([0, 3]);
    const scalar: TensorView = { name: 's', dtype: 'F32', shape: [], bytes: Uint8Array.of(1, 2, 3, 4) };
    expect(sliceTensor(scalar, []).bytes).toEqual(scalar.bytes);
    expect(() => sliceTensor(scalar, parseSlice(':'))).toThrow(invalid);
  });

  it('refuses places between entries, as numpy does: bytes of two would be taken for one', () => {
    const between = [
      [0.5],
      [{ start: 0.5 }],
      [{ stop: Number.NaN }],
      [{ step: 1.5 }],
      [Number.NaN],
      [{ step: Infinity }],
    ];
    for (const items of between) expect(() => sliceTensor(view, items)).toThrow(invalid);
    expect(sliceTensor(view, [{ start: -Infinity, stop: Infinity }]).shape).toEqual([3, 4, 5]);
  });

  it('refuses what it cannot read or cut', () => {
    for (const text of ['x', '1:2:3:4', '1.5', ':,']) expect(() => parseSlice(text)).toThrow(invalid);
    const packed: TensorView = { name: 'p', dtype: 'F4', shape: [4], bytes: Uint8Array.of(1, 2) };
    expect(() => sliceTensor(packed, parseSlice('1'))).toThrow(invalid);
  });
});
