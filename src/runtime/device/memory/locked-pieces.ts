import type { HostRange } from './device-memory.js';

/** A piece ends where an address is a multiple of this, which is one of pages. */
const LOCKED_TOGETHER = 2n ** 28n;

/** What is locked apart: no copy goes over such a border. */
export function lockedPieces({ address, bytes }: HostRange): HostRange[] {
  const pieces: HostRange[] = [];
  const end = address + BigInt(bytes);
  for (let at = address; at < end;) {
    const next = (at / LOCKED_TOGETHER + 1n) * LOCKED_TOGETHER;
    const until = next < end ? next : end;
    pieces.push({ address: at, bytes: Number(until - at) });
    at = until;
  }
  return pieces;
}
