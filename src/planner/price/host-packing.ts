/**
 * What ONNX Runtime's CPU products take beside their arithmetic where they have several rows: without packing ahead, which would
 * copy all weights, each run reads the weight and writes it in the order that the kernel wants.
 */
import type { HostProfile } from './device-profile.js';

/** Passes over the memory: one reads, one writes. */
const PASSES = 2;

/** @param bytes of float32 weights */
export function hostPackingMs(
  bytes: number,
  { memoryBytesPerSecond }: Pick<HostProfile, 'memoryBytesPerSecond'>,
): number {
  return (1000 * PASSES * bytes) / memoryBytesPerSecond;
}
