import type { Address } from '../memory/device-memory.js';
import type { CudaKernels } from './cuda-kernels.js';

/** Threads of a block that look through a row, and what they make of it: a head, ids, logits. See `shortlist-kernels.cu`. */
const LOOKERS = 512;
export const HEAD_BYTES = 32;
export const LISTED = 128;
export const SHORTLIST_BYTES = HEAD_BYTES + 8 * LISTED;

/** How many of the greatest are listed at least, of a row that has as many. */
const LEAST_LISTED = 64;

export interface Logits {
  /** Float32 `[rows, width]`. */
  readonly address: Address;
  readonly rows: number;
  readonly width: number;
}

/** Writes the shortlist of each row, after all runs so far. */
export interface Shortlists {
  readonly bytesOfRow: number;
  /** @param divisor of logits in the sums */
  readonly write: (logits: Logits, to: Address, divisor: number) => void;
}

export const cudaShortlists = (kernels: CudaKernels, stream: bigint): Shortlists => ({
  bytesOfRow: SHORTLIST_BYTES,
  write: ({ address, rows, width }, to, divisor) =>
    kernels.launch('shortlist', 'shortlists', {
      grid: [rows, 1, 1],
      threads: LOOKERS,
      stream,
      args: [address, to, width, LEAST_LISTED, { float: divisor }],
    }),
});
