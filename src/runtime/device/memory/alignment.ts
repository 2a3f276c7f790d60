import type { Address } from './device-memory.js';

/** Kernels read weights fastest from addresses that are multiples of this. */
const ALIGNMENT = 256;

export const alignedBytes = (bytes: number): number => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;

/** Parts of an allocation, one after the other, where a part of it is an address like any other. */
export function divideAligned(allocation: Address, sizes: readonly number[]): Address[] {
  let next = allocation;
  return sizes.map((bytes) => {
    const address = next;
    next += BigInt(alignedBytes(bytes));
    return address;
  });
}
