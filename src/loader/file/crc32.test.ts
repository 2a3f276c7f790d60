import { crc32 } from 'node:zlib';
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { followedBy, remainder } from './crc32.js';

/** zlib's sum out of one without inversions: all ones go in front, and all bits change in the end. */
const asZlib = (sum: number, length: number): number => (sum ^ followedBy(0xffffffff, length) ^ 0xffffffff) >>> 0;

it('is what zlib gives, also of parts that are put together', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 3000 }), fc.nat(3000), (bytes, cut) => {
      const at = Math.min(cut, bytes.length);
      const [head, tail] = [bytes.subarray(0, at), bytes.subarray(at)];
      const joined = (followedBy(remainder(head), tail.length) ^ remainder(tail)) >>> 0;
      expect(joined).toBe(remainder(bytes));
      expect(asZlib(joined, bytes.length)).toBe(crc32(bytes));
    }),
  );
});

it('moves by more bytes than a 32-bit count of bits', () => {
  const far = 2 ** 30;
  expect(followedBy(followedBy(12345, far - 7), 7)).toBe(followedBy(12345, far));
});
