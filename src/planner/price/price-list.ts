/**
 * Milliseconds per call for a block in each place it may have: what the solver minimises.
 *
 * One run costs max(bytes / bandwidth, FLOPs / rate) plus the launches of its modules; streamed blocks first wait for
 * their weights, since neither engine copies ahead; a cut between two places costs a copy per run.
 */
import type { BlockPhase } from '../../model/blocks.js';
import type { QuantScheme } from '../../tensor/quantized.js';
import { formOf, type BlockRun, type Engine, type ModelProfile, type ProfileBlock } from '../profile/model-profile.js';
import type { GpuProfile, MachineProfile, QuantizedBandwidth } from './device-profile.js';

/** Where a block's weights live and who runs it. `host` runs on the CPU; its weights are in RAM or read from disk. */
export type Location =
  | { readonly execution: 'resident'; readonly gpu: number }
  | { readonly execution: 'streamed'; readonly gpu: number; readonly store: 'cpu' | 'disk' }
  | { readonly execution: 'host'; readonly store: 'cpu' | 'disk' };

/** A location, and what a block's weights are quantised to for it; null leaves them as they are loaded. */
export type Place = Location & { readonly scheme: QuantScheme | null };

/**
 * What torch 2.15 keeps of its float32 rates with float16 or bfloat16 weights on an x86 CPU without half-precision
 * matrix units: measured for one row (bytes) and for 257 (FLOPs) of a 10240 x 2560 linear layer on two cores.
 */
const HALF_ON_CPU = { bytes: 0.45, flops: 0.25 } as const;

export interface PriceList {
  /** Milliseconds per call of all the runs of a block in `place`. */
  blockMs(block: ProfileBlock, place: Place): number;
  /** The part of `blockMs` that falls in one phase. */
  phaseMs(block: ProfileBlock, place: Place, phase: BlockPhase): number;
  /** Milliseconds per call to hand `from`'s output to the next block, in another place. */
  crossingMs(from: ProfileBlock, a: Place, b: Place): number;
  /** The same for an input that skips the chain. */
  extraInputMs(input: ProfileBlock['extraInputs'][number], elementBytes: number, a: Place, b: Place): number;
}

export function priceList(profile: ModelProfile, machine: MachineProfile, gpuIds: readonly number[]): PriceList {
  const { engine, dtype } = profile;
  const gpus = new Map(gpuIds.map((id, i) => [id, gpuAt(machine, i)]));
  const gpuOf = (id: number): GpuProfile => gpus.get(id) ?? gpuAt(machine, 0);
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
    if (place.execution !== 'host' && traffic.transfers > 0 && phase === block.phase) {
      const { link } = gpuOf(place.gpu);
      ms += traffic.transfers * link.latencyMs + (1000 * traffic.elements * block.elementBytes) / link.bytesPerSecond;
    }
    return ms;
  };

  return {
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
    extraInputMs(input, elementBytes, a, b) {
      return runsOn(a) === runsOn(b) ? 0 : input.runs * copyMs(input.elements * elementBytes, a, b);
    },
  };

  function runMs(block: ProfileBlock, run: BlockRun, place: Place): number {
    if (place.execution === 'host') {
      const widening = hostWidening(block, engine);
      const half = engine === 'transformers' && block.elementBytes === 2;
      const floatBytes = (run.readBytes - run.quantizedBytes) * widening;
      const compute = Math.max(
        (1000 * (floatBytes + quantizedTraffic(block, run, host.quantizedBandwidth) + run.stateBytes)) /
          (host.memoryBytesPerSecond * (half ? HALF_ON_CPU.bytes : 1)),
        (1000 * run.flops) / (host.flopsPerSecond * (half ? HALF_ON_CPU.flops : 1)),
      );
      // A mapped file gives up single rows; transformers reads whole tensors.
      const fetched = engine === 'transformers' ? run.streamedBytes : run.readBytes;
      const fetch = place.store === 'disk' ? (1000 * fetched) / host.diskBytesPerSecond : 0;
      return compute + fetch + run.leaves * host.leafMs;
    }
    const gpu = gpuOf(place.gpu);
    const rates = gpu.engines[engine];
    const computeDtype = block.elementBytes === 4 ? 'float32' : dtype;
    const floatBytes = run.readBytes - run.quantizedBytes;
    const compute = Math.max(
      (1000 * (floatBytes + quantizedTraffic(block, run, gpu.quantizedBandwidth) + run.stateBytes)) /
        gpu.memoryBytesPerSecond,
      (1000 * run.flops) / gpu.flopsPerSecond[computeDtype],
    );
    const launches = run.leaves * rates.leafMs;
    if (place.execution === 'resident') return compute + launches;
    const copy = (1000 * run.streamedBytes) / rates.streamBytesPerSecond + run.leaves * rates.streamedLeafMs;
    const fetch = place.store === 'disk' ? (1000 * run.streamedBytes) / host.diskBytesPerSecond : 0;
    return compute + launches + copy + fetch;
  }
}

/** Float bytes that would take as long to read as a run's quantised ones. */
function quantizedTraffic(block: ProfileBlock, run: BlockRun, reached: QuantizedBandwidth): number {
  return block.scheme === null ? 0 : run.quantizedBytes / reached[block.scheme];
}

/** Bytes a CPU reads per loaded byte: `blip2-run` keeps float32 there, transformers keeps the target dtype. */
export function hostWidening(block: ProfileBlock, engine: Engine): number {
  if (engine !== 'blip2-run') return 1;
  // A tied head holds no weights itself; the table it reads has the target dtype.
  return block.weightBytes > 0 ? block.float32Bytes / block.weightBytes : 4 / block.elementBytes;
}

/** The device that computes: a GPU's number, or the CPU. */
export function runsOn(place: Place): number | 'cpu' {
  return place.execution === 'host' ? 'cpu' : place.gpu;
}

function gpuAt(machine: MachineProfile, index: number): GpuProfile {
  const gpu = machine.gpus[index] ?? machine.gpus.at(-1);
  if (gpu === undefined) throw new RangeError('a price list for GPUs needs at least one GPU profile');
  return gpu;
}
