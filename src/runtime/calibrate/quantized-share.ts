import { availableParallelism } from 'node:os';
import { UNKNOWN_HOST } from '../../planner/price/known-devices.js';
import type { HostProfile } from '../../planner/price/device-profile.js';
import { round } from './round.js';

/**
 * Bytes of quantised weights a second that a core multiplies one row by, where memory brings them fast enough: ONNX Runtime 1.30 on two
 * cores of an AMD EPYC with 43 GB/s (bench/cpu).
 */
const BYTES_PER_CORE = { int8: 7.3e9, int4: 7.1e9 } as const;

/** What products by quantised weights reach of a CPU's bandwidth: of slow memory most, of fast memory what its cores manage. */
export function quantizedShare(
  memoryBytesPerSecond: number,
  cores = availableParallelism(),
): HostProfile['quantizedBandwidth'] {
  const { int8, int4 } = UNKNOWN_HOST.quantizedBandwidth;
  const managed = (bytesPerCore: number): number => round((cores * bytesPerCore) / memoryBytesPerSecond);
  return { int8: Math.min(int8, managed(BYTES_PER_CORE.int8)), int4: Math.min(int4, managed(BYTES_PER_CORE.int4)) };
}
