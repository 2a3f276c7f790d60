/**
 * Unsigned 64-bit integers as the format has them: a number while it is safe, a bigint above 2^53 - 1. Every value has one
 * form only, so `===` and `<` work between any two of them.
 */
export type U64 = number | bigint;

const LIMIT = 1n << 64n;
const SAFE_DIGITS = 15;

/** The value of a plain decimal integer without sign or leading zeros, or undefined from 2^64 on. */
export function parseU64(digits: string): U64 | undefined {
  return digits.length <= SAFE_DIGITS ? Number(digits) : fromBigint(BigInt(digits));
}

/** The product, or undefined where it overflows. */
export function multiplyU64(a: U64, b: U64): U64 | undefined {
  if (typeof a === 'number' && typeof b === 'number') {
    const product = a * b;
    if (Number.isSafeInteger(product)) return product;
  }
  return fromBigint(BigInt(a) * BigInt(b));
}

/** `a - b`, where `a >= b`. */
export function subtractU64(a: U64, b: U64): U64 {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  return narrow(BigInt(a) - BigInt(b));
}

function fromBigint(value: bigint): U64 | undefined {
  return value < LIMIT ? narrow(value) : undefined;
}

/** The one form of a value. */
export function narrow(value: bigint): U64 {
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
}
