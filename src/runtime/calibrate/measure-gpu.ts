/** What a GPU reaches with the engine: copies within it and over its link, products, and the cost of small kernels. */
import { findCard } from '../../planner/price/find-card.js';
import { UNKNOWN_GPU, withContext } from '../../planner/price/known-devices.js';
import { MEASURED_ERROR, MOST_PACKED_ROWS, type GpuProfile } from '../../planner/price/device-profile.js';
import { tensorBytes, type TensorInfo } from '../../tensor/tensor-info.js';
import type { GpuFloat } from '../graph/gpu/gpu-style.js';
import { GraphBuilder } from '../onnx/graph-builder.js';
import type { EngineDevice } from '../session/gpu/device/engine-device.js';
import { runOptions } from '../session/gpu/device/run-options.js';
import { HostMemory } from '../device/memory/host-memory.js';
import { OrtSession, type BoundTensor } from '../device/ort/ort-session.js';
import type { ProviderDevice } from '../device/provider.js';
import { copyRates } from './copy-rates.js';
import { round } from './round.js';
import {
  INNER,
  LAYERS,
  layerShape,
  LEAVES,
  leavesGraph,
  MANY_ROWS,
  productGraph,
  QUANTIZED_LAYERS,
  quantizedGraph,
  quantizedInputs,
  WIDTH,
} from './probe-graphs.js';
import { BLINK_ERROR, medianMs, THOROUGH, type Effort } from './timing.js';

/** What threads of this process carry to the driver, of what transformers then reaches with its leaves: on an H200. */
const PAGEABLE_SHARE = 0.9;

/**
 * Rows of the products: those of four pictures. The zeros that they multiply draw less power than numbers do, so that more rows are faster here
 * than there: on an H200 257 rows reach 211 to 255 TFLOP/s, 1028 421 to 465, 2056 642 to 716; a vision tower of 32 pictures 361 to 390, of 64 490.
 */
const ROWS = 4 * MANY_ROWS;

/** What a module of a step takes, of what one of `leavesGraph` does, which has more kernels: 0.0032 and 0.0038 ms on an H200. */
const RECORDED_SHARE = 0.84;

/** A card, and what a context of its driver takes: see `contextBytes`. */
export interface MeasuredCard extends Pick<ProviderDevice, 'name' | 'memoryBytes'> {
  readonly contextBytes: number | null;
}

/** Rates that are not measured (most of transformers') are those of the card where it is known, else of a mid-range one. */
export async function measureGpu(
  device: EngineDevice,
  card: MeasuredCard,
  source: string,
  effort = THOROUGH,
): Promise<GpuProfile> {
  const named = findCard(card.name)?.profile ?? UNKNOWN_GPU;
  const known = card.contextBytes === null ? named : withContext(named, card.contextBytes);
  using pageable = new HostMemory();
  const copies = await copyRates(device.memory, pageable, effort);
  const half = await productRate(device, device.style.float, effort);
  const ownFloat32 = device.style.float === 'F16' && effort.isComplete;
  const float32 = ownFloat32 ? await productRate(device, 'F32', effort) : half * float32Share(device, known);
  const rates = known.engines['blip2-run'];
  const leaf = effort.isComplete ? await leafMs(device, effort) : rates.leafMs;
  const recordedLeaf = effort.isComplete ? RECORDED_SHARE * leaf : (rates.recordedLeafMs ?? leaf);
  return {
    ...known,
    name: card.name,
    ...(card.memoryBytes === null ? {} : { memoryBytes: card.memoryBytes }),
    memoryBytesPerSecond: round(copies.within),
    quantizedBandwidth: await quantizedShares(device, known, { within: copies.within, leaf, effort }),
    packedRows: device.style.ownKernels === true ? MOST_PACKED_ROWS : 1,
    flopsPerSecond: { float16: round(half), bfloat16: round(half), float32: round(float32) },
    link: { bytesPerSecond: round(Math.min(copies.up, copies.down)), latencyMs: round(copies.latencyMs) },
    engines: {
      transformers: {
        ...known.engines.transformers,
        streamBytesPerSecond: round(PAGEABLE_SHARE * copies.pageableUp),
      },
      'blip2-run': {
        ...rates,
        streamBytesPerSecond: round(copies.up),
        streamedLeafMs: 0,
        leafMs: round(leaf),
        recordedLeafMs: round(recordedLeaf),
      },
    },
    errorFactor: effort.isComplete ? MEASURED_ERROR : BLINK_ERROR,
    source: `${source}; transformers' times of Python and the memory that libraries take are those of ${known.name}`,
  };
}

function float32Share({ style }: EngineDevice, { flopsPerSecond }: GpuProfile): number {
  return style.float === 'F32' ? 1 : flopsPerSecond.float32 / flopsPerSecond.float16;
}

/** FLOP/s of the linear layers. */
async function productRate(device: EngineDevice, dtype: GpuFloat, effort: Effort): Promise<number> {
  const model = productGraph(new GraphBuilder('/'), dtype, (graph, layer) =>
    graph.input(`w${layer}`, { dtype, dims: layerShape(layer) }),
  );
  const inputs = new Map<string, TensorInfo>([['x', { dtype, shape: [ROWS, WIDTH] }]]);
  for (let layer = 0; layer < LAYERS; layer++) inputs.set(`w${layer}`, { dtype, shape: layerShape(layer) });
  const output: TensorInfo = { dtype, shape: [ROWS, layerShape(LAYERS - 1)[0]] };
  const ms = await runMs(device, { model, inputs, output, records: false }, effort);
  return (1000 * 2 * ROWS * WIDTH * INNER * LAYERS) / ms;
}

interface Beside {
  /** Bytes per second within the card. */
  readonly within: number;
  readonly leaf: number;
  readonly effort: Effort;
}

/** What products of one row with integers of 8 bits reach of the bandwidth; those with 4 bits in the usual proportion. */
async function quantizedShares(
  device: EngineDevice,
  known: GpuProfile,
  { within, leaf, effort }: Beside,
): Promise<GpuProfile['quantizedBandwidth']> {
  const { int8: usual, int4 } = known.quantizedBandwidth;
  // The CPU's kernel for weights that are no constants is not the one that captions use.
  if (device.isHost) return known.quantizedBandwidth;
  const dtype = device.style.float;
  const weights = quantizedInputs(dtype);
  const inputs = new Map<string, TensorInfo>([['x', { dtype, shape: [1, WIDTH] }], ...weights]);
  const output: TensorInfo = { dtype, shape: [1, layerShape(QUANTIZED_LAYERS - 1)[0]] };
  const ms = await runMs(device, { model: quantizedGraph(dtype), inputs, output, records: false }, effort);
  // All layers have as many weights.
  const perLayer = ['w0', 's0'].reduce((sum, name) => sum + sizeOf(weights, name), 0);
  const readMs = Math.max(ms - QUANTIZED_LAYERS * leaf, ms / 2);
  const int8 = Math.min(1, (1000 * QUANTIZED_LAYERS * perLayer) / readMs / within);
  return { int8: round(int8), int4: round((int8 * int4) / usual) };
}

function sizeOf(infos: ReadonlyMap<string, TensorInfo>, name: string): number {
  const info = infos.get(name);
  return info === undefined ? 0 : tensorBytes(info);
}

/** Tokens are made by recorded runs on CUDA: so are these. Profiles for WebGPU say apart what a module takes in a recorded run. */
async function leafMs(device: EngineDevice, effort: Effort): Promise<number> {
  const row: TensorInfo = { dtype: device.style.float, shape: [1, 16] };
  const chain = { model: leavesGraph(device.style.float), inputs: new Map([['x', row]]), output: row };
  return (
    (await runMs(device, { ...chain, records: device.canRecord && device.recordsTokensOnly !== true }, effort)) / LEAVES
  );
}

interface Probe {
  readonly model: Uint8Array;
  /** Of the inputs, which are zeros. */
  readonly inputs: ReadonlyMap<string, TensorInfo>;
  readonly output: TensorInfo;
  readonly records: boolean;
}

async function runMs(
  device: EngineDevice,
  { model, inputs, output, records }: Probe,
  { budgetMs, fewestCalls }: Effort,
): Promise<number> {
  const { memory } = device;
  const allocated: bigint[] = [];
  const zeros = ({ dtype, shape }: TensorInfo): BoundTensor => {
    const bytes = tensorBytes({ dtype, shape });
    const address = memory.allocate(bytes);
    allocated.push(address);
    memory.zero(address, bytes);
    return memory.locate({ place: memory.place, address, dtype, dims: shape });
  };
  using session = new OrtSession(
    model,
    device.sessionOptions({ isRecorded: records, roundsFactors: false, sharesArena: false }),
  );
  const bound = new Map([...inputs].map(([name, info]) => [name, zeros(info)] as const));
  using binding = session.bind(bound, new Map([['y', zeros(output)]]));
  using options = runOptions(memory, records ? 'recorded' : 'awaited');
  // A recorded run does not wait for the memory's own order.
  memory.synchronize();
  const run = () => {
    binding.run(options);
    memory.synchronize();
  };
  // Awaited here: what `using` holds is freed where the function returns.
  const ms = await medianMs(budgetMs, run, fewestCalls);
  for (const address of allocated) memory.free(address);
  return ms;
}
