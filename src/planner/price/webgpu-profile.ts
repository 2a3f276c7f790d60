/**
 * A card as ONNX Runtime's WebGPU reaches it: `blip2-run` there, in place of CUDA. Measured on H200s (bench/gpu, ONNX
 * Runtime 1.30, Vulkan); other cards are taken to lose as much beside what they are slower anyway.
 */
import type { GpuProfile } from './device-profile.js';

const MIB = 2 ** 20;

/**
 * Of blip2-opt-2.7b in float16, 15.7 ms a token on one machine of an H200 and 20 to 24 on four others: the gaps between kernels are
 * 7 to 15 ms of it, by their hosts. What is between them is nowhere more than a quarter off. Recorded it was 12.9 ms on one of
 * those, which set the gap, and is 11 to 12 since the likeliest token is found by many threads.
 */
const READ_BYTES_PER_SECOND = 700e9;
const FLOPS_PER_SECOND = 12e12;
/** Weights are written by one thread of the host into staging memory. */
const STREAM_BYTES_PER_SECOND = 2.4e9;
const LEAF_MS = 0.036;
const RECORDED_LEAF_MS = 0.016;
/** 8 and 32 pictures together take 1.22 and 3.99 s, one with 5 beams 0.68 and 8 of them 3.42. */
const TOKEN_FLOPS_PER_SECOND = 2.2e12;
const LINK = { bytesPerSecond: 2e9, latencyMs: 0.2 } as const;
/** 46 MiB of the driver's device, and the ends of its pools. */
const CONTEXT_BYTES = 64 * MIB;
/** Uploads in flight, and one weight that is being turned. */
const WORKSPACE_BYTES = 60 * MIB;

/** How far off the losses may be: they were measured on one kind of card. */
const LOSSES_ERROR = 1.25;

/** The rate of two steps one after the other. */
const both = (a: number, b: number): number => 1 / (1 / a + 1 / b);

export function webGpuProfile(card: GpuProfile): GpuProfile {
  const rates = card.engines['blip2-run'];
  const flops = both(card.flopsPerSecond.float32, FLOPS_PER_SECOND);
  return {
    ...card,
    name: `${card.name} through WebGPU`,
    memoryBytesPerSecond: both(card.memoryBytesPerSecond, READ_BYTES_PER_SECOND),
    quantizedBandwidth: { int8: 1, int4: 0.6 },
    packedRows: 1,
    flopsPerSecond: { float16: flops, bfloat16: flops, float32: flops },
    link: LINK,
    engines: {
      ...card.engines,
      'blip2-run': {
        ...rates,
        streamBytesPerSecond: Math.min(rates.streamBytesPerSecond, STREAM_BYTES_PER_SECOND),
        leafMs: Math.max(rates.leafMs, LEAF_MS),
        recordedLeafMs: RECORDED_LEAF_MS,
        tokenFlopsPerSecond: both(card.flopsPerSecond.float32, TOKEN_FLOPS_PER_SECOND),
        contextBytes: CONTEXT_BYTES,
        workspaceBytes: WORKSPACE_BYTES,
      },
    },
    errorFactor: card.errorFactor * LOSSES_ERROR,
    source: `WebGPU's losses as measured on H200s, over: ${card.source}`,
  };
}
