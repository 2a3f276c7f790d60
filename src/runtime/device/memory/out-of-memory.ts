import { freemem, totalmem } from 'node:os';
import { memoryUsage } from 'node:process';
import { errorText, option, type ErrorText } from '../../../error-text.js';
import { Blip2Error } from '../../../errors.js';
import { formatSize } from '../../../size.js';
import type { DeviceMemory, MemoryRoom } from './device-memory.js';

const GPU_HINT = 'End other programs on this GPU, or plan again with less of its memory.';

/**
 * @param neededBytes what was asked for; null where the library that asked does not say
 * @param hint what helps where it is not a GPU's memory that is full
 */
export function outOfMemory(room: MemoryRoom, neededBytes: number | null, hint: ErrorText = GPU_HINT): Blip2Error {
  const { device, freeBytes, totalBytes, heldBytes } = room;
  const needed = neededBytes === null ? 'more is' : `${formatSize(neededBytes)} more are`;
  return new Blip2Error(
    'OUT_OF_MEMORY',
    `${device} has ${formatSize(freeBytes)} of ${formatSize(totalBytes)} free; ${needed} needed beside the ${formatSize(heldBytes)} held here`,
    {
      hint,
      details: { device, neededBytes, freeBytes, totalBytes, heldBytes },
    },
  );
}

/** The host's memory, of which drivers hold some in place for copies. */
export function hostOutOfMemory(neededBytes: number, heldBytes: number): Blip2Error {
  const room = { device: 'the host', totalBytes: totalmem(), freeBytes: freemem(), heldBytes };
  return outOfMemory(
    room,
    neededBytes,
    errorText`End other programs, or caption fewer pictures at once (${option('batchSize')}).`,
  );
}

/** How ONNX Runtime and the C++ library below it say that the host has no memory. */
const HOST_SIGNS = /bad_alloc|bad allocation|failed to allocate memory|cannot allocate memory/i;

/** What a session on the host threw, as `OUT_OF_MEMORY` where that is what it means. */
export function namedHostOutOfMemory(error: unknown): unknown {
  if (error instanceof Blip2Error || !(error instanceof Error) || !HOST_SIGNS.test(error.message)) return error;
  const room = { device: 'the host', totalBytes: totalmem(), freeBytes: freemem(), heldBytes: memoryUsage.rss() };
  return outOfMemory(
    room,
    null,
    'End other programs, lift what limits this process (ulimit), or take smaller weights.',
  );
}

/** How ONNX Runtime, CUDA and cuBLAS say that a session found no memory. */
const SIGNS = /failed to allocate memory|out of memory|CUBLAS_STATUS_ALLOC_FAILED|CUDNN_STATUS_ALLOC_FAILED/i;

/** What a session threw, as `OUT_OF_MEMORY` with the device's numbers where that is what it means. */
export function namedOutOfMemory(error: unknown, memory: DeviceMemory): unknown {
  if (!(error instanceof Blip2Error) || error.code !== 'ORT_FAILED' || !SIGNS.test(error.message)) return error;
  const room = memory.room();
  if (room === null) return error;
  const size = /requested buffer of size (\d+)/.exec(error.message)?.[1];
  return outOfMemory(room, size === undefined ? null : Number(size));
}
