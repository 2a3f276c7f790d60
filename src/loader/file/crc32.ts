/**
 * The remainder of a polynomial division, as zlib's CRC-32 has it without its two inversions: so the sum of bytes is the XOR
 * of the sums of their parts, each moved by the bytes that follow it, and parts can be summed in any order.
 */
import { crc32 } from 'node:zlib';
import { at } from '../../checked-access.js';

const POLYNOMIAL = 0xedb88320;
const HIGHEST_BIT = 0x80000000;

/** Bytes begin at the highest bit: `x^(8 * 2^k)` for each k. */
const MOVES: readonly number[] = moves();

/** zlib's starts with all ones, unless it is given their opposite; of no bytes it is 0 whatever it starts with. */
export function remainder(bytes: Uint8Array): number {
  return bytes.length === 0 ? 0 : ~crc32(bytes, 0xffffffff) >>> 0;
}

/** The sum of the bytes of `sum` and `count` zeros. */
export function followedBy(sum: number, count: number): number {
  let moved = sum;
  for (let k = 0, rest = count; rest > 0; k++, rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) moved = product(moved, at(MOVES, k));
  }
  return moved;
}

/** Of two polynomials whose highest bit is that of `x^0`, modulo CRC-32's. */
function product(a: number, b: number): number {
  let sum = 0;
  let term = b;
  for (let bit = HIGHEST_BIT; bit !== 0; bit >>>= 1) {
    if ((a & bit) !== 0) sum ^= term;
    term = (term & 1) === 1 ? (term >>> 1) ^ POLYNOMIAL : term >>> 1;
  }
  return sum >>> 0;
}

function moves(): number[] {
  const powers = [HIGHEST_BIT >>> 8];
  for (let k = 1; k < 32; k++) {
    const last = at(powers, k - 1);
    powers.push(product(last, last));
  }
  return powers;
}
