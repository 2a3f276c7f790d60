import { expect, it } from 'vitest';
import { contextBytes } from './context-bytes.js';

const MIB = 2 ** 20;

/** A card by what it has free, in MiB, before, during and after a context is there; its last value stays. */
async function measured(free: readonly (number | null)[]) {
  const left = [...free];
  const calls: string[] = [];
  const look = () => {
    const value = left.length > 1 ? left.shift() : left[0];
    return value == null ? null : value * MIB;
  };
  const bytes = await contextBytes(look, () => {
    calls.push('take');
    return () => void calls.push('give back');
  });
  return { mib: bytes === null ? null : bytes / MIB, calls };
}

const BOTH = ['take', 'give back'];

it.each([
  ['a context', [9000, 8473, 9000], 527, BOTH],
  ['a driver that gives it back late', [9000, 8473, 8473, 8600, 9000], 527, BOTH],
  ['a context that was there', [9000, 8999, 9000], null, BOTH],
  ['another program that takes memory meanwhile', [9000, 7946, 8473], null, BOTH],
  ['another program that gives memory back meanwhile', [9000, 8773, 9300], null, BOTH],
  ['more than a context', [9000, 3000, 9000], null, BOTH],
  ['nobody who tells', [null], null, []],
])('knows what a context takes, or says nothing: %s', async (_, free, mib, calls) => {
  expect(await measured(free)).toEqual({ mib, calls });
});
