/**
 * Device profiles by name. Only entries that say "measured" were measured; the others scale the vendor's memory and
 * tensor-core figures by what such cards reach in practice (80 % of bandwidth, 45 % of dense float16, half of the link).
 */
import { DATA_SHEETS, type DataSheet } from './data-sheets.js';
import {
  GPU_QUANTIZED_BANDWIDTH,
  HOST_QUANTIZED_BANDWIDTH,
  type GpuProfile,
  type HostProfile,
} from './device-profile.js';

const GB = 1e9;
const TFLOP = 1e12;
const MIB = 2 ** 20;

/**
 * ONNX Runtime 1.30 on an H200, measured: beside weights, caches, staging and room for dequantised weights, 527 MiB of CUDA
 * context and 656 to 731 MiB with sessions and their arenas, over 15 plans of blip2-opt-2.7b and blip2-flan-t5-xl (bench/gpu,
 * `CUBLAS_WORKSPACE_CONFIG=:16:8`).
 */
const ORT_MEMORY = { contextBytes: 750 * MIB, workspaceBytes: 0 } as const;

/**
 * cuBLAS takes its workspace from torch's allocator: 32 MiB on Hopper, 8.1 MiB on other cards (torch's
 * `CUBLAS_WORKSPACE_CONFIG` defaults, `:4096:8` and `:4096:2:16:8`). 4 MiB more are for the allocator's rounding.
 */
const torchWorkspace = (hopper: boolean): number => (hopper ? 36 : 12) * MIB;

/**
 * The host's side of transformers 5.17 with accelerate 1.15 on the machine of an H200: with the bytes per second of streamed
 * weights fitted to the 19 placements of `measured-placements.test.ts`. Python runs no faster beside a smaller card.
 */
const PYTHON = { launchMs: 0.0135, moduleMs: 0.0175, hookMs: 0.0115, streamedLeafMs: 0.5 } as const;

function fromDataSheet(name: string, sheet: DataSheet): GpuProfile {
  const half = 0.45 * sheet.float16 * TFLOP;
  return {
    name,
    memoryBytes: sheet.memoryMiB * MIB,
    memoryBytesPerSecond: 0.8 * sheet.bandwidth * GB,
    quantizedBandwidth: GPU_QUANTIZED_BANDWIDTH,
    flopsPerSecond: { float16: half, bfloat16: half, float32: 0.6 * sheet.float32 * TFLOP },
    link: { bytesPerSecond: 0.5 * sheet.link * GB, latencyMs: 0.03 },
    engines: {
      'blip2-run': { streamBytesPerSecond: 0.15 * sheet.link * GB, leafMs: 0.01, streamedLeafMs: 0.05, ...ORT_MEMORY },
      transformers: {
        streamBytesPerSecond: 0.16 * sheet.link * GB,
        ...PYTHON,
        contextBytes: 500 * MIB,
        workspaceBytes: torchWorkspace(name === 'H100'),
      },
    },
    source: "estimate: the vendor's data sheet scaled by rates usual for such cards",
  };
}

const H200: GpuProfile = {
  name: 'H200',
  memoryBytes: 141 * GB,
  memoryBytesPerSecond: 0.8 * 4800 * GB,
  // 3.4 and 2.4 ms per token for all of opt-2.7b's decoder and head, less the launches.
  quantizedBandwidth: { int8: 0.35, int4: 0.33 },
  flopsPerSecond: { float16: 0.45 * 989 * TFLOP, bfloat16: 0.45 * 989 * TFLOP, float32: 0.6 * 66.9 * TFLOP },
  link: { bytesPerSecond: 0.5 * 64 * GB, latencyMs: 0.03 },
  engines: {
    'blip2-run': { streamBytesPerSecond: 55 * GB, leafMs: 0.005, streamedLeafMs: 0, ...ORT_MEMORY },
    transformers: {
      streamBytesPerSecond: 8 * GB,
      ...PYTHON,
      // The driver's count less torch's peak: 717 to 735 MiB for opt-2.7b, 776 to 811 for flan-t5-xl (bench/gpu).
      contextBytes: 815 * MIB,
      workspaceBytes: torchWorkspace(true),
    },
  },
  source:
    'transformers fitted to 19 placements of opt-2.7b and flan-t5-xl on H200s (transformers 5.17), within 10 %; blip2-run streaming and time per module measured with CUDA and ONNX Runtime 1.30 (bench/gpu); memory and arithmetic are estimates',
};

export const KNOWN_GPUS: ReadonlyMap<string, GpuProfile> = new Map([
  ...[...DATA_SHEETS].map(([name, sheet]): [string, GpuProfile] => [name, fromDataSheet(name, sheet)]),
  ['H200', H200],
]);

/** Stands for a card nobody named: near an RTX 3080. Absolute times are rough with it; the order of placements is not. */
export const UNKNOWN_GPU: GpuProfile = {
  ...fromDataSheet('unknown GPU', { memoryMiB: 10_240, bandwidth: 760, float16: 119, float32: 29.8, link: 32 }),
  source: 'estimate: a mid-range card on PCIe 4.0; name the card (--gpu) or give a profile for better times',
};

export const UNKNOWN_HOST: HostProfile = {
  name: 'unknown host',
  memoryBytesPerSecond: 25 * GB,
  quantizedBandwidth: HOST_QUANTIZED_BANDWIDTH,
  flopsPerSecond: 0.4 * TFLOP,
  leafMs: 0.01,
  diskBytesPerSecond: 1.5 * GB,
  source: 'estimate: a desktop with two memory channels, eight cores and an NVMe disk',
};
