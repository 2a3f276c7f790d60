/**
 * Milliseconds per call for a block in each place it may have: what the solver minimises.
 *
 * A GPU takes max(bytes / bandwidth, FLOPs / rate) for a run. `blip2-run` adds the gaps between its kernels; transformers
 * takes at least as long as Python needs to launch them. Streamed blocks first wait for their weights; a cut between two
 * places costs a copy per run.
 */
import { found } from '../../checked-access.js';
import type { BlockPhase } from '../../model/blocks.js';
import type { DeviceMap } from '../map/device-map.js';
import { formOf, levelOf, type BlockRun, type ModelProfile, type ProfileBlock } from '../profile/model-profile.js';
import type { Engine } from '../map/engine.js';
import { gpuAt, type GpuProfile, type MachineProfile, type QuantizedBandwidth } from './device-profile.js';
import { bytesPerWeight } from './preparation.js';
import { hostPackingMs } from './host-packing.js';
import { hookedAmongst, hookedUnder, type Hooked } from './hooks.js';
import { runsOn, type Place } from './place.js';
import { searchMs } from './search-ms.js';

/**
 * What torch 2.15 keeps of its float32 rates with float16 or bfloat16 weights on an x86 CPU without half-precision
 * matrix units: measured for one row (bytes) and for 257 (FLOPs) of a 10240 x 2560 linear layer on two cores.
 */
const HALF_ON_CPU = { bytes: 0.45, flops: 0.25 } as const;

/**
 * What a session's run of a layer of the vision tower takes beside its kernels, where several runs share its copy, which they hide then.
 * Of opt-2.7b, encoding 24 and 48 pictures by fours takes 107 and 221 ms on an H100, and 101 and 202 are predicted so; on an H200, 20
 * pictures in 10 and in 3 runs about 122 and 72, and 133 and 67 are predicted (bench/bulk).
 */
const SESSION_MS = 0.17;

/**
 * What the host takes to ask a GPU for the work of a module, where nothing is recorded: one picture takes 8.4 ms and its prompt 5.1
 * in opt-2.7b on an H200, and 9.3 in flan-t5-xl with the first token, whatever the card could do (bench/gpu).
 */
const ISSUE_MS = 0.02;

/**
 * FLOPs that would take as long as a quantised weight takes the host beside a GPU: weights are inputs of the sessions there, which ONNX
 * Runtime's CPU products write as floats for each run, in memory that is new each time. On the machine of an H200 (1,315 GFLOP/s) two
 * layers and the head of opt-2.7b in int4 took 212 ms a token.
 */
const FLOPS_OF_UNPACKING = 1000;

/** Of a run whose products have several rows, for each weight that it reads: two for each row. */
const FLOPS_OF_ROWS = 3;
const FLOPS_OF_ROW = 2;

export interface Prices {
  /** Whether accelerate hooks a block's modules. */
  readonly hooked: Hooked;
  /** Milliseconds per call of all the runs of a block in `place`. */
  blockMs(block: ProfileBlock, place: Place): number;
  /** The part of `blockMs` that falls in one phase. */
  phaseMs(block: ProfileBlock, place: Place, phase: BlockPhase): number;
  /** Milliseconds per call to hand `from`'s output to the next block, in another place. */
  crossingMs(from: ProfileBlock, a: Place, b: Place): number;
  /** How far off times of a device may be: they take from `1 / errorFactor` to `errorFactor` of their price. */
  errorFactor(device: number | 'cpu'): number;
  /** The same for an input that skips the chain. */
  extraInputMs(input: ProfileBlock['extraInputs'][number], elementBytes: number, a: Place, b: Place): number;
}

export interface PriceList {
  /** The prices of a placement that has these places and no others. */
  amongst(places: readonly Place[]): Prices;
}

/** @param given the map of the placements, where it is not made by `emitDeviceMap` */
export function priceList(
  profile: ModelProfile,
  machine: MachineProfile,
  gpuIds: readonly number[],
  given?: DeviceMap,
): PriceList {
  return {
    amongst: (places) =>
      priced(profile, machine, gpuIds, {
        hooked: given === undefined ? hookedAmongst(profile, places) : hookedUnder(given),
        hasGpu: places.some(({ execution }) => execution !== 'host'),
      }),
  };
}

function priced(
  profile: ModelProfile,
  machine: MachineProfile,
  gpuIds: readonly number[],
  { hooked, hasGpu }: { readonly hooked: Hooked; readonly hasGpu: boolean },
): Prices {
  const { engine, dtype, workload } = profile;
  // A model for one row at a time has ONNX Runtime's products, in its prompts too.
  const products = workload.batch * workload.beams === 1 ? { packedRows: 1 } : {};
  const gpus = new Map(gpuIds.map((id, i) => [id, { ...gpuAt(machine, i), ...products }]));
  const gpuOf = (id: number): GpuProfile => found(gpus, id);
  const { host } = machine;

  const copyMs = (bytes: number, a: Place, b: Place): number => {
    const ends = [runsOn(a), runsOn(b)];
    let ms = 0;
    for (const end of ends) {
      if (end === 'cpu') continue;
      const { link } = gpuOf(end);
      ms += link.latencyMs + (1000 * bytes) / link.bytesPerSecond;
    }
    return ms;
  };

  const phaseMs = (whole: ProfileBlock, place: Place, phase: BlockPhase): number => {
    const block = formOf(whole, place.scheme);
    let ms = 0;
    for (const run of block.runs) if (run.phase === phase) ms += run.runs * runMs(block, run, place);
    const traffic = block.hostTraffic;
    const gpu = place.execution === 'host' ? null : gpuOf(place.gpu);
    if (gpu !== null && traffic.transfers > 0 && phase === block.phase) {
      const { link } = gpu;
      ms += traffic.transfers * link.latencyMs + (1000 * traffic.elements * block.elementBytes) / link.bytesPerSecond;
    }
    const searches = engine === 'blip2-run' && workload.beams > 1 && block.kind === 'head' && phase === block.phase;
    return searches ? ms + searchMs(traffic.elements, gpu) : ms;
  };

  return {
    hooked,
    blockMs: (block, place) =>
      phaseMs(block, place, 'image') + phaseMs(block, place, 'prompt') + phaseMs(block, place, 'token'),
    phaseMs,
    crossingMs(from, a, b) {
      if (runsOn(a) === runsOn(b)) return 0;
      let ms = 0;
      for (const run of from.runs) {
        if (run.outputElements > 0) ms += run.runs * copyMs(run.outputElements * from.elementBytes, a, b);
      }
      return ms;
    },
    errorFactor: (device) => (device === 'cpu' ? host : gpuOf(device)).errorFactor,
    extraInputMs(input, elementBytes, a, b) {
      return runsOn(a) === runsOn(b) ? 0 : input.runs * copyMs(input.elements * elementBytes, a, b);
    },
  };

  function runMs(block: ProfileBlock, run: BlockRun, place: Place): number {
    // Runs that share what is copied pay for their part of it.
    const copied = run.copies / run.runs;
    if (place.execution === 'host') {
      const widening = hostWidening(block, engine);
      const half = engine === 'transformers' && block.elementBytes === 2;
      const floatBytes = (run.readBytes - run.quantizedBytes) * widening;
      const packs = engine === 'blip2-run' && run.flops > FLOPS_OF_ROWS * weightsRead(block, run);
      const compute = Math.max(
        (1000 * (floatBytes + quantizedTraffic(block, run, host.quantizedBandwidth) + run.stateBytes)) /
          (host.memoryBytesPerSecond * (half ? HALF_ON_CPU.bytes : 1)),
        (1000 * run.flops) / (host.flopsPerSecond * (half ? HALF_ON_CPU.flops : 1)) +
          (packs ? hostPackingMs(floatBytes, host) : 0),
      );
      const unpacks = engine === 'blip2-run' && hasGpu && block.scheme !== null;
      const unpacking = unpacks ? (1000 * FLOPS_OF_UNPACKING * weightsRead(block, run)) / host.flopsPerSecond : 0;
      // A mapped file gives up single rows; transformers reads whole tensors.
      const fetched = engine === 'transformers' ? run.streamedBytes : run.readBytes;
      const fetch = place.store === 'disk' ? (1000 * fetched) / host.diskBytesPerSecond : 0;
      return compute + unpacking + copied * fetch + run.leaves * host.leafMs;
    }
    const gpu = gpuOf(place.gpu);
    const computeDtype = block.elementBytes === 4 ? 'float32' : dtype;
    const floatBytes = run.readBytes - run.quantizedBytes;
    const quantized = block.scheme === null ? 0 : quantizedBytesOnGpu(block, run, gpu);
    const { leafMs, recordedLeafMs = leafMs, tokenFlopsPerSecond } = gpu.engines['blip2-run'];
    const ofTokens = engine === 'blip2-run' && run.phase === 'token' ? tokenFlopsPerSecond : undefined;
    const compute = Math.max(
      (1000 * (floatBytes + quantized + run.stateBytes)) / gpu.memoryBytesPerSecond,
      (1000 * run.flops) / (ofTokens ?? gpu.flopsPerSecond[computeDtype]),
    );
    const isRecorded = run.phase === 'token' && place.execution === 'resident';
    const working =
      engine === 'transformers'
        ? Math.max(compute, issueMs(run, gpu, hooked(block, place)))
        : compute + run.leaves * (isRecorded ? recordedLeafMs : leafMs);
    const sharesCopies = engine === 'blip2-run' && block.phase === 'image' && copied < 1;
    const isIssued = engine === 'blip2-run' && run.phase !== 'token' && !sharesCopies;
    const busy = isIssued ? Math.max(working, run.leaves * ISSUE_MS) : working;
    if (place.execution === 'resident') return busy;
    const { streamBytesPerSecond, streamedLeafMs } = gpu.engines[engine];
    const kept = levelOf(run.kept, place.level);
    const copiedBytes = run.streamedBytes - kept.bytes;
    const copy = (1000 * copiedBytes) / streamBytesPerSecond + (run.leaves - kept.leaves) * streamedLeafMs;
    const fetch = place.store === 'disk' ? (1000 * copiedBytes) / host.diskBytesPerSecond : 0;
    const brought = copied * (copy + fetch);
    return sharesCopies ? Math.max(busy + SESSION_MS, brought) : busy + brought;
  }
}

/** Until all kernels of a run are launched, while the GPU works on the first of them. */
function issueMs({ torch }: BlockRun, gpu: GpuProfile, hooked: boolean): number {
  const { launchMs, moduleMs, hookMs } = gpu.engines.transformers;
  return torch.launches * launchMs + torch.modules * (hooked ? moduleMs + hookMs : moduleMs);
}

/** Float bytes that would take as long to read as a run's quantised ones. */
function quantizedTraffic(block: ProfileBlock, run: BlockRun, reached: QuantizedBandwidth): number {
  return block.scheme === null ? 0 : run.quantizedBytes / reached[block.scheme];
}

/** Float bytes that a GPU would take as long to read as a run of `blip2-run` takes for its quantised weights. */
function quantizedBytesOnGpu(block: ProfileBlock, run: BlockRun, gpu: GpuProfile): number {
  const rows = run.flops / (FLOPS_OF_ROW * weightsRead(block, run));
  const ofOneRow = quantizedTraffic(block, run, gpu.quantizedBandwidth);
  if (FLOPS_OF_ROW * rows <= FLOPS_OF_ROWS) return ofOneRow;
  if (block.scheme === null || rows > (gpu.packedRows ?? 1)) return unpackingTraffic(block, run);
  const { first, rowsTwice } = PACKED[block.scheme];
  return ofOneRow * (first + rows / rowsTwice);
}

/**
 * What products of several rows take by kernels of our own, beside one row by ONNX Runtime's: 1.0 and 1.2 times for 24 and 48 rows of
 * int8, 1.5 and 2.0 times of int4, on an H200 (bench/gpu/kernels.mjs).
 */
const PACKED = { int8: { first: 1, rowsTwice: 200 }, int4: { first: 1.25, rowsTwice: 70 } } as const;

/**
 * Of products of several rows on a GPU: quantised weights are read, written as floats, and read again. On an H200 24 rows of
 * opt-2.7b in int8 take 5.98 ms a step, and one takes 3.4 (bench/bulk).
 */
function unpackingTraffic(block: ProfileBlock, run: BlockRun): number {
  if (block.scheme === null) return 0;
  return run.quantizedBytes * (1 + (2 * block.elementBytes) / bytesPerWeight(block.scheme));
}

function weightsRead({ scheme, elementBytes }: ProfileBlock, { readBytes, quantizedBytes }: BlockRun): number {
  const quantized = scheme === null ? 0 : quantizedBytes / bytesPerWeight(scheme);
  return (readBytes - quantizedBytes) / elementBytes + quantized;
}

/** Bytes a CPU reads per loaded byte: `blip2-run` keeps float32 there, transformers keeps the target dtype. */
export function hostWidening(block: ProfileBlock, engine: Engine): number {
  if (engine !== 'blip2-run') return 1;
  // A tied head holds no weights itself; the table it reads has the target dtype.
  return block.weightBytes > 0 ? block.float32Bytes / block.weightBytes : 4 / block.elementBytes;
}
