import { expect, it } from 'vitest';
import { at, found } from './checked-access.js';

it('gives what is there, what is falsy too', () => {
  expect([at([0, ''], 0), at([0, ''], 1), at([null], 0)]).toEqual([0, '', null]);
  expect(found(new Map([['cpu', 0]]), 'cpu')).toBe(0);
});

it('refuses what is not there, and says what', () => {
  expect(() => at([1, 2], 2)).toThrow(new RangeError('no element 2 of 2'));
  expect(() => at([1, 2], -1)).toThrow(RangeError);
  expect(() => found(new Map([[0, 1]]), 7)).toThrow(new RangeError('nothing is known of 7'));
});
