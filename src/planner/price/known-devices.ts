/**
 * Device profiles by name. Only entries that say "measured" were measured; the others scale the vendor's memory and
 * tensor-core figures by what such cards reach in practice (80 % of bandwidth, 45 % of dense float16, 80 % of the link).
 */
import { found } from '../../checked-access.js';
import { DATA_SHEETS, type DataSheet } from './data-sheets.js';
import {
  GPU_QUANTIZED_BANDWIDTH,
  HOST_QUANTIZED_BANDWIDTH,
  MEASURED_ERROR,
  MOST_PACKED_ROWS,
  type GpuProfile,
  type HostProfile,
} from './device-profile.js';

const GB = 1e9;
const TFLOP = 1e12;
const MIB = 2 ** 20;

/**
 * ONNX Runtime 1.30 on an H200, measured: beside weights, caches, staging and room for dequantised weights, 527 MiB of CUDA
 * context and 656 to 731 MiB with sessions and arenas of their own, over 15 plans of blip2-opt-2.7b and blip2-flan-t5-xl (bench/gpu,
 * `CUBLAS_WORKSPACE_CONFIG=:16:8`); 700 with a shared arena (bench/bulk).
 */
const ORT_MEMORY = { contextBytes: 720 * MIB, workspaceBytes: 0 } as const;

/** Of what stands here as `contextBytes`, the context of CUDA itself: on an H200, whose 132 processors make it larger than most. */
const H200_CONTEXT_BYTES = 527 * MIB;
/** The driver's count less torch's peak: 717 to 735 MiB for opt-2.7b, 776 to 811 for flan-t5-xl on an H200 (bench/gpu). */
const TORCH_CONTEXT_BYTES = 815 * MIB;

/**
 * Milliseconds of a module's kernels, one after the other: where each is launched, and where a step is recorded and replayed. The second is
 * opt-2.7b's step on an H200 (2.19 ms) less what its weights take to read; by it flan-t5-xl's is 6 to 9 % shorter than it was (1.91 and 1.95 ms).
 */
const LEAVES = { leafMs: 0.005, recordedLeafMs: 0.0032 } as const;

const isHopper = (name: string): boolean => name === 'H100' || name === 'H200';

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

/**
 * Of what a link's generation and lanes promise, what copies from page-locked memory reach: 0.86 on an H200, 0.8 on an H100, both on
 * PCI Express 5 x16.
 */
const LINK_SHARE = 0.8;

/** What copies from pageable memory reach, which a thread of the host carries to the driver: 8 GB/s on the machine of an H200. */
const pageableRate = (linkRate: number): number => Math.min(8 * GB, 0.4 * linkRate);

/** PCI Express of the first cards of compute capability 8.0; those before them have the third generation. */
const KERNELS_SINCE = 4;

function fromDataSheet(name: string, sheet: DataSheet, errorFactor: number): GpuProfile {
  const half = 0.45 * sheet.float16 * TFLOP;
  const linkRate = linkBytesPerSecond(sheet);
  return {
    name,
    memoryBytes: sheet.memoryMiB * MIB,
    memoryBytesPerSecond: 0.8 * sheet.bandwidth * GB,
    quantizedBandwidth: GPU_QUANTIZED_BANDWIDTH,
    ...(sheet.generation < KERNELS_SINCE ? {} : { packedRows: MOST_PACKED_ROWS }),
    flopsPerSecond: { float16: half, bfloat16: half, float32: 0.6 * sheet.float32 * TFLOP },
    link: { bytesPerSecond: 0.5 * linkRate, latencyMs: 0.03 },
    engines: {
      // Streamed copies are hidden behind each other: on neither card did a module cost more than its bytes.
      'blip2-run': { streamBytesPerSecond: LINK_SHARE * linkRate, ...LEAVES, streamedLeafMs: 0, ...ORT_MEMORY },
      transformers: {
        streamBytesPerSecond: pageableRate(linkRate),
        ...PYTHON,
        contextBytes: 500 * MIB,
        workspaceBytes: torchWorkspace(isHopper(name)),
      },
    },
    errorFactor,
    source: `estimate: the vendor's data sheet scaled by rates usual for such cards, PCI Express ${sheet.generation} x${sheet.lanes}`,
  };
}

export interface HostLink {
  /** Of PCI Express. */
  readonly generation: number;
  readonly lanes: number;
}

/** One direction: 1 GB/s a lane in the third generation, twice as much in each that follows. */
function linkBytesPerSecond({ generation, lanes }: HostLink): number {
  return lanes * 2 ** (generation - 3) * GB;
}

/** Of a card whose data sheet is all that is known; the two that were measured since take 0.9 to 1.1 of what these rules say. */
const SHEET_ERROR = 1.5;
/** Two plans were measured, with streaming fitted to them. */
const H100_ERROR = 1.25;
/** From an RTX 3060 to an RTX 5090. */
const UNKNOWN_ERROR = 2.5;
/** From two cores of a virtual machine to a server. */
const UNKNOWN_HOST_ERROR = 6;

const H200: GpuProfile = {
  name: 'H200',
  memoryBytes: 141 * GB,
  memoryBytesPerSecond: 0.8 * 4800 * GB,
  // 3.4 and 2.4 ms per token for all of opt-2.7b's decoder and head, less the launches.
  quantizedBandwidth: { int8: 0.35, int4: 0.33 },
  packedRows: MOST_PACKED_ROWS,
  flopsPerSecond: { float16: 0.45 * 989 * TFLOP, bfloat16: 0.45 * 989 * TFLOP, float32: 0.6 * 66.9 * TFLOP },
  link: { bytesPerSecond: 0.5 * 64 * GB, latencyMs: 0.03 },
  engines: {
    'blip2-run': { streamBytesPerSecond: 55 * GB, ...LEAVES, streamedLeafMs: 0, ...ORT_MEMORY },
    transformers: {
      streamBytesPerSecond: 8 * GB,
      ...PYTHON,
      contextBytes: TORCH_CONTEXT_BYTES,
      workspaceBytes: torchWorkspace(true),
    },
  },
  errorFactor: MEASURED_ERROR,
  source:
    'transformers fitted to 19 placements of opt-2.7b and flan-t5-xl on H200s (transformers 5.17), within 10 %; blip2-run streaming and time per module measured with CUDA and ONNX Runtime 1.30 (bench/gpu); memory and arithmetic are estimates',
};

const H100: GpuProfile = {
  ...fromDataSheet('H100', found(DATA_SHEETS, 'H100'), H100_ERROR),
  quantizedBandwidth: H200.quantizedBandwidth,
  engines: {
    'blip2-run': { streamBytesPerSecond: 51 * GB, ...LEAVES, streamedLeafMs: 0, ...ORT_MEMORY },
    transformers: H200.engines.transformers,
  },
  source:
    'blip2-run streaming fitted to opt-2.7b in 4 and 2 GiB on one H100 (80GB HBM3, PCI Express 5 x16): 937 and 1,868 ms; what engines do beside is as on an H200, memory and arithmetic are estimates',
};

/** Cards by name, with what they can do; `source` says whether that was measured or follows from a data sheet. */
export const KNOWN_GPUS: ReadonlyMap<string, GpuProfile> = new Map([
  ...[...DATA_SHEETS].map(([name, sheet]): [string, GpuProfile] => [name, fromDataSheet(name, sheet, SHEET_ERROR)]),
  ['H200', H200],
  ['H100', H100],
]);

/** A card on the link that it has on its machine, which may be slower than its own. */
export function onLink(card: GpuProfile, link: HostLink): GpuProfile {
  const sheet = DATA_SHEETS.get(card.name);
  if (sheet === undefined || (sheet.generation === link.generation && sheet.lanes === link.lanes)) return card;
  const [own, here] = [linkBytesPerSecond(sheet), linkBytesPerSecond(link)];
  const { engines } = card;
  const { 'blip2-run': run, transformers } = engines;
  return {
    ...card,
    link: { ...card.link, bytesPerSecond: (card.link.bytesPerSecond * here) / own },
    engines: {
      'blip2-run': { ...run, streamBytesPerSecond: (run.streamBytesPerSecond * here) / own },
      transformers: {
        ...transformers,
        streamBytesPerSecond: Math.min(transformers.streamBytesPerSecond, pageableRate(here)),
      },
    },
    errorFactor: Math.max(card.errorFactor, SHEET_ERROR),
    source: `${card.source}; its link is taken to be PCI Express ${link.generation} x${link.lanes}`,
  };
}

/** What libraries may take more on a card of another kind, whose kernels are others: nobody measured it. */
const OTHER_KERNELS_BYTES = 64 * MIB;

/** A card whose driver takes so much for a context of CUDA: beside it, libraries are taken to need what they do on an H200. */
export function withContext(card: GpuProfile, contextBytes: number): GpuProfile {
  const { 'blip2-run': run, transformers } = card.engines;
  const more = isHopper(card.name) ? 0 : OTHER_KERNELS_BYTES;
  const counted = (onH200: number): number => contextBytes + onH200 - H200_CONTEXT_BYTES + more;
  return {
    ...card,
    engines: {
      'blip2-run': { ...run, contextBytes: counted(ORT_MEMORY.contextBytes) },
      transformers: { ...transformers, contextBytes: counted(TORCH_CONTEXT_BYTES) },
    },
  };
}

/** Stands for a card nobody named: an RTX 3080. Absolute times are rough with it; the order of placements is not. */
export const UNKNOWN_GPU: GpuProfile = {
  ...fromDataSheet('unknown GPU', found(DATA_SHEETS, 'RTX 3080'), UNKNOWN_ERROR),
  // It may be older.
  packedRows: 1,
  source: 'estimate: a mid-range card on PCIe 4.0; name the card or give a profile for better times',
};

/** A host of which nothing is known: a desktop's, with an error factor to match. */
export const UNKNOWN_HOST: HostProfile = {
  name: 'unknown host',
  memoryBytesPerSecond: 25 * GB,
  quantizedBandwidth: HOST_QUANTIZED_BANDWIDTH,
  flopsPerSecond: 0.4 * TFLOP,
  leafMs: 0.01,
  diskBytesPerSecond: 1.5 * GB,
  errorFactor: UNKNOWN_HOST_ERROR,
  source: 'estimate: a desktop with two memory channels, eight cores and an NVMe disk',
};
