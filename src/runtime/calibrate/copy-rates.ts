/** How fast bytes go within a GPU, and to and from the host's memory. */
import type { DeviceMemory } from '../device/memory/device-memory.js';
import { medianMs, type Effort } from './timing.js';

const SMALL_BYTES = 4096;
/** Copies within the card that are timed together, over more than its caches hold. */
const COPIES = 8;
const WITHIN_BYTES = 128 * 2 ** 20;

export interface CopyRates {
  /** Bytes per second, reads and writes together. */
  readonly within: number;
  /** Bytes per second from and to page-locked memory. */
  readonly up: number;
  readonly down: number;
  /** The same from memory that the system may page out. */
  readonly pageableUp: number;
  /** Milliseconds of a small copy. */
  readonly latencyMs: number;
}

/** @param pageable memory of this process */
export async function copyRates(memory: DeviceMemory, pageable: DeviceMemory, effort: Effort): Promise<CopyRates> {
  const { copiedBytes, budgetMs, fewestCalls } = effort;
  const locked = memory.allocateHost(copiedBytes).address;
  const paged = pageable.allocate(copiedBytes);
  pageable.zero(paged, copiedBytes);
  const [a, b] = [memory.allocate(Math.max(copiedBytes, WITHIN_BYTES)), memory.allocate(WITHIN_BYTES)];
  memory.zero(a, WITHIN_BYTES);
  const msOf = (copy: () => void): Promise<number> =>
    medianMs(
      budgetMs,
      () => {
        copy();
        memory.synchronize();
      },
      fewestCalls,
    );
  const rate = async (bytes: number, copy: () => void): Promise<number> => (1000 * bytes) / (await msOf(copy));
  const upFrom = (host: bigint) => rate(copiedBytes, () => memory.upload(a, host, copiedBytes));
  const downTo = (host: bigint) => rate(copiedBytes, () => memory.download(host, a, copiedBytes));
  const rates = {
    // Page-locked memory has pages once it has been written.
    down: await downTo(locked),
    up: await upFrom(locked),
    pageableUp: await upFrom(paged),
    within: await rate(2 * COPIES * WITHIN_BYTES, () => {
      for (let n = 0; n < COPIES; n++) memory.copy([{ to: b, from: a, bytes: WITHIN_BYTES }]);
    }),
    latencyMs:
      (await msOf(() => {
        memory.upload(a, locked, SMALL_BYTES);
        memory.download(locked, a, SMALL_BYTES);
      })) / 2,
  };
  memory.free(a);
  memory.free(b);
  return rates;
}
