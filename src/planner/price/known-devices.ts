/**
 * Device profiles by name. Only entries that say "measured" were measured; the others scale the vendor's memory and
 * tensor-core figures by what such cards reach in practice (80 % of bandwidth, 45 % of dense float16, half of the link).
 */
import {
  GPU_QUANTIZED_BANDWIDTH,
  HOST_QUANTIZED_BANDWIDTH,
  type GpuProfile,
  type HostProfile,
} from './device-profile.js';

const GB = 1e9;
const TFLOP = 1e12;
const MIB = 2 ** 20;
const GIB = 2 ** 30;

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

interface DataSheet {
  readonly memoryGiB: number;
  /** GB/s. */
  readonly bandwidth: number;
  /** Dense TFLOP/s with float16 and float32 inputs (TF32 not counted). */
  readonly float16: number;
  readonly float32: number;
  /** One direction of the host link, GB/s. */
  readonly link: number;
}

function fromDataSheet(name: string, sheet: DataSheet): GpuProfile {
  const half = 0.45 * sheet.float16 * TFLOP;
  return {
    name,
    memoryBytes: sheet.memoryGiB * GIB,
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

const SHEETS: ReadonlyMap<string, DataSheet> = new Map([
  ['RTX 3060', { memoryGiB: 12, bandwidth: 360, float16: 51, float32: 12.7, link: 32 }],
  ['RTX 3070', { memoryGiB: 8, bandwidth: 448, float16: 81, float32: 20.3, link: 32 }],
  ['RTX 3080', { memoryGiB: 10, bandwidth: 760, float16: 119, float32: 29.8, link: 32 }],
  ['RTX 3090', { memoryGiB: 24, bandwidth: 936, float16: 142, float32: 35.6, link: 32 }],
  ['RTX 4060', { memoryGiB: 8, bandwidth: 272, float16: 60, float32: 15.1, link: 16 }],
  ['RTX 4070', { memoryGiB: 12, bandwidth: 504, float16: 117, float32: 29.1, link: 32 }],
  ['RTX 4080', { memoryGiB: 16, bandwidth: 717, float16: 195, float32: 48.7, link: 32 }],
  ['RTX 4090', { memoryGiB: 24, bandwidth: 1008, float16: 330, float32: 82.6, link: 32 }],
  ['RTX 5090', { memoryGiB: 32, bandwidth: 1792, float16: 419, float32: 104.8, link: 64 }],
  ['T4', { memoryGiB: 16, bandwidth: 320, float16: 65, float32: 8.1, link: 16 }],
  ['V100', { memoryGiB: 32, bandwidth: 900, float16: 125, float32: 15.7, link: 16 }],
  ['L4', { memoryGiB: 24, bandwidth: 300, float16: 121, float32: 30.3, link: 32 }],
  ['A10', { memoryGiB: 24, bandwidth: 600, float16: 125, float32: 31.2, link: 32 }],
  ['L40S', { memoryGiB: 48, bandwidth: 864, float16: 362, float32: 91.6, link: 32 }],
  ['A100', { memoryGiB: 80, bandwidth: 2039, float16: 312, float32: 19.5, link: 32 }],
  ['H100', { memoryGiB: 80, bandwidth: 3350, float16: 989, float32: 66.9, link: 64 }],
]);

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
  ...[...SHEETS].map(([name, sheet]): [string, GpuProfile] => [name, fromDataSheet(name, sheet)]),
  ['H200', H200],
]);

/** The profile of a card as its driver names it, such as "NVIDIA H200" or "NVIDIA A100-SXM4-80GB". */
export function knownGpu(driverName: string): GpuProfile | undefined {
  for (const [name, profile] of KNOWN_GPUS) if (new RegExp(`\\b${name}\\b`).test(driverName)) return profile;
  return undefined;
}

/** Stands for a card nobody named: near an RTX 3080. Absolute times are rough with it; the order of placements is not. */
export const UNKNOWN_GPU: GpuProfile = {
  ...fromDataSheet('unknown GPU', { memoryGiB: 10, bandwidth: 760, float16: 119, float32: 29.8, link: 32 }),
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
