/** What a GPU reaches with the engine: copies within it and over its link, products, and the cost of small kernels. */
import { findCard } from '../../planner/price/find-card.js';
import { UNKNOWN_GPU } from '../../planner/price/known-devices.js';
import type { GpuProfile } from '../../planner/price/device-profile.js';
import { elementCount } from '../../tensor/tensor-info.js';
import type { GpuFloat } from '../graph/gpu/gpu-style.js';
import { GraphBuilder } from '../onnx/graph-builder.js';
import type { EngineDevice } from '../provider/engine/device/engine-device.js';
import { runOptions } from '../provider/engine/device/run-options.js';
import type { DeviceMemory } from '../provider/memory/device-memory.js';
import { OrtSession, type BoundTensor } from '../provider/ort/ort-session.js';
import type { ProviderDevice } from '../provider/provider.js';
import { round } from './measure-host.js';
import { INNER, LAYERS, layerShape, LEAVES, leavesGraph, MANY_ROWS, productGraph, WIDTH } from './probe-graphs.js';
import { medianMs } from './timing.js';

const MIB = 2 ** 20;
const LARGE_BYTES = 256 * MIB;
const SMALL_BYTES = 4096;
const BUDGET_MS = 300;

/** Rates that are not measured here (transformers') are those of the card where it is known, else of a mid-range one. */
export async function measureGpu(device: EngineDevice, card: ProviderDevice, source: string): Promise<GpuProfile> {
  const known = findCard(card.name)?.profile ?? UNKNOWN_GPU;
  const copies = await copyRates(device.memory);
  const half = await productRate(device, device.style.float);
  const float32 = device.style.float === 'F32' ? half : await productRate(device, 'F32');
  return {
    ...known,
    name: card.name,
    ...(card.memoryBytes === null ? {} : { memoryBytes: card.memoryBytes }),
    memoryBytesPerSecond: round(copies.within),
    flopsPerSecond: { float16: round(half), bfloat16: round(half), float32: round(float32) },
    link: { bytesPerSecond: round(Math.min(copies.up, copies.down)), latencyMs: round(copies.latencyMs) },
    engines: {
      ...known.engines,
      'blip2-run': {
        ...known.engines['blip2-run'],
        streamBytesPerSecond: round(copies.up),
        leafMs: round(await leafMs(device)),
      },
    },
    source: `${source}; transformers' rates and the memory that libraries take are those of ${known.name}`,
  };
}

async function copyRates(
  memory: DeviceMemory,
): Promise<{ within: number; up: number; down: number; latencyMs: number }> {
  const host = memory.allocateHost(LARGE_BYTES);
  host.bytes.fill(1);
  const [a, b] = [memory.allocate(LARGE_BYTES), memory.allocate(LARGE_BYTES)];
  const rate = async (bytes: number, copy: () => void): Promise<number> =>
    (1000 * bytes) /
    (await medianMs(BUDGET_MS, () => {
      copy();
      memory.synchronize();
    }));
  const up = await rate(LARGE_BYTES, () => memory.upload(a, host.address, LARGE_BYTES));
  const down = await rate(LARGE_BYTES, () => memory.download(host.address, a, LARGE_BYTES));
  // Every byte is read and written.
  const within = await rate(2 * LARGE_BYTES * 8, () => {
    for (let n = 0; n < 8; n++) memory.copy([{ to: b, from: a, bytes: LARGE_BYTES }]);
  });
  const there = await medianMs(BUDGET_MS, () => {
    memory.upload(a, host.address, SMALL_BYTES);
    memory.download(host.address, a, SMALL_BYTES);
  });
  memory.free(a);
  memory.free(b);
  return { within, up, down, latencyMs: there / 2 };
}

/** FLOP/s of the linear layers with as many rows as a picture has. */
async function productRate(device: EngineDevice, dtype: GpuFloat): Promise<number> {
  const model = productGraph(new GraphBuilder('/'), dtype, (graph, layer) =>
    graph.input(`w${layer}`, { dtype, dims: layerShape(layer) }),
  );
  const inputs = new Map<string, readonly number[]>([['x', [MANY_ROWS, WIDTH]]]);
  for (let layer = 0; layer < LAYERS; layer++) inputs.set(`w${layer}`, layerShape(layer));
  const output = [MANY_ROWS, layerShape(LAYERS - 1)[0]];
  const ms = await runMs(device, { model, dtype, inputs, output, records: false });
  return (1000 * 2 * MANY_ROWS * WIDTH * INNER * LAYERS) / ms;
}

/** Tokens are made by recorded runs where the device can record: so are these. */
async function leafMs(device: EngineDevice): Promise<number> {
  const dtype = device.style.float;
  const dims = [1, 16];
  const chain = { model: leavesGraph(dtype), dtype, inputs: new Map([['x', dims]]), output: dims };
  return (await runMs(device, { ...chain, records: device.canRecord })) / LEAVES;
}

interface Probe {
  readonly model: Uint8Array;
  readonly dtype: GpuFloat;
  /** Dims of the inputs, which are zeros. */
  readonly inputs: ReadonlyMap<string, readonly number[]>;
  readonly output: readonly number[];
  readonly records: boolean;
}

async function runMs(device: EngineDevice, { model, dtype, inputs, output, records }: Probe): Promise<number> {
  const { memory } = device;
  const allocated: bigint[] = [];
  const zeros = (dims: readonly number[]): BoundTensor => {
    const bytes = elementCount(dims) * (dtype === 'F16' ? 2 : 4);
    const address = memory.allocate(bytes);
    allocated.push(address);
    memory.zero(address, bytes);
    return memory.locate({ place: memory.place, address, dtype, dims });
  };
  using session = new OrtSession(model, device.sessionOptions({ isRecorded: records, roundsFactors: false }));
  const bound = new Map([...inputs].map(([name, dims]) => [name, zeros(dims)] as const));
  using binding = session.bind(bound, new Map([['y', zeros(output)]]));
  using options = runOptions(memory, records ? 'recorded' : 'awaited');
  // A recorded run does not wait for the memory's own order.
  memory.synchronize();
  // Awaited here: what `using` holds is freed where the function returns.
  const ms = await medianMs(BUDGET_MS, () => {
    binding.run(options);
    memory.synchronize();
  });
  for (const address of allocated) memory.free(address);
  return ms;
}
