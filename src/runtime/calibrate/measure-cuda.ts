/** What a CUDA card reaches: copies within it and over its link, products, and the cost of small kernels. */
import { KNOWN_GPUS, UNKNOWN_GPU } from '../../planner/price/known-devices.js';
import type { GpuProfile } from '../../planner/price/device-profile.js';
import { GraphBuilder } from '../onnx/graph-builder.js';
import { cudaSettings, openCudaMemory } from '../provider/cuda-provider.js';
import type { CudaMemory } from '../provider/memory/cuda-memory.js';
import { OrtSession, RunOptions, type BoundTensor } from '../provider/ort/ort-session.js';
import type { ProviderDevice } from '../provider/provider.js';
import { round } from './measure-host.js';
import { INNER, LAYERS, layerShape, LEAVES, leavesGraph, MANY_ROWS, productGraph, WIDTH } from './probe-graphs.js';
import { medianMs } from './timing.js';

const MIB = 2 ** 20;
const LARGE_BYTES = 256 * MIB;
const SMALL_BYTES = 4096;
const BUDGET_MS = 300;

type Float = 'F16' | 'F32';

/** Rates that are not measured here (transformers') are those of the card where it is known, else of a mid-range one. */
export async function measureCuda(number: number, card: ProviderDevice, source: string): Promise<GpuProfile | null> {
  const memory = openCudaMemory(number);
  if (memory === null) return null;
  using device = memory;
  const known = [...KNOWN_GPUS].find(([name]) => card.name.includes(name))?.[1] ?? UNKNOWN_GPU;
  const copies = await copyRates(device);
  const float16 = await productRate(device, number, 'F16');
  const float32 = await productRate(device, number, 'F32');
  return {
    ...known,
    name: card.name,
    ...(card.memoryBytes === null ? {} : { memoryBytes: card.memoryBytes }),
    memoryBytesPerSecond: round(copies.within),
    flopsPerSecond: { float16: round(float16), bfloat16: round(float16), float32: round(float32) },
    link: { bytesPerSecond: round(Math.min(copies.up, copies.down)), latencyMs: round(copies.latencyMs) },
    engines: {
      ...known.engines,
      'blip2-run': {
        ...known.engines['blip2-run'],
        streamBytesPerSecond: round(copies.up),
        leafMs: round(await leafMs(device, number)),
      },
    },
    source: `${source}; transformers' rates and the memory that libraries take are those of ${known.name}`,
  };
}

async function copyRates(device: CudaMemory): Promise<{ within: number; up: number; down: number; latencyMs: number }> {
  const host = device.allocateHost(LARGE_BYTES);
  host.bytes.fill(1);
  const [a, b] = [device.allocate(LARGE_BYTES), device.allocate(LARGE_BYTES)];
  const rate = async (bytes: number, copy: () => void): Promise<number> =>
    (1000 * bytes) /
    (await medianMs(BUDGET_MS, () => {
      copy();
      device.synchronize();
    }));
  const up = await rate(LARGE_BYTES, () => device.upload(a, host.address, LARGE_BYTES));
  const down = await rate(LARGE_BYTES, () => device.download(host.address, a, LARGE_BYTES));
  // Every byte is read and written.
  const within = await rate(2 * LARGE_BYTES * 8, () => {
    for (let n = 0; n < 8; n++) device.copy([{ to: b, from: a, bytes: LARGE_BYTES }]);
  });
  const there = await medianMs(BUDGET_MS, () => {
    device.upload(a, host.address, SMALL_BYTES);
    device.download(host.address, a, SMALL_BYTES);
  });
  device.free(a);
  device.free(b);
  return { within, up, down, latencyMs: there / 2 };
}

/** FLOP/s of the linear layers with as many rows as a picture has. */
async function productRate(device: CudaMemory, number: number, dtype: Float): Promise<number> {
  const bytes = dtype === 'F16' ? 2 : 4;
  const model = productGraph(new GraphBuilder('/'), dtype, (graph, layer) =>
    graph.input(`w${layer}`, { dtype, dims: layerShape(layer) }),
  );
  const tensor = (dims: readonly number[]): BoundTensor => {
    const size = bytes * dims.reduce((product, dim) => product * dim, 1);
    const address = device.allocate(size);
    device.zero(address, size);
    return device.locate({ place: device.place, address, dtype, dims });
  };
  const inputs = new Map<string, BoundTensor>([['x', tensor([MANY_ROWS, WIDTH])]]);
  for (let layer = 0; layer < LAYERS; layer++) inputs.set(`w${layer}`, tensor(layerShape(layer)));
  const ms = await runMs(device, number, model, inputs, tensor([MANY_ROWS, layerShape(LAYERS - 1)[0]]));
  return (1000 * 2 * MANY_ROWS * WIDTH * INNER * LAYERS) / ms;
}

async function leafMs(device: CudaMemory, number: number): Promise<number> {
  const tensor = (): BoundTensor =>
    device.locate({ place: device.place, address: device.allocate(64), dtype: 'F16', dims: [1, 16] });
  return (await runMs(device, number, leavesGraph('F16'), new Map([['x', tensor()]]), tensor())) / LEAVES;
}

async function runMs(
  device: CudaMemory,
  number: number,
  model: Uint8Array,
  inputs: ReadonlyMap<string, BoundTensor>,
  output: BoundTensor,
): Promise<number> {
  using session = new OrtSession(model, { cuda: cudaSettings(number, { stream: device.stream }) });
  using binding = session.bind(inputs, new Map([['y', output]]));
  using options = new RunOptions();
  return medianMs(BUDGET_MS, () => {
    binding.run(options);
    device.synchronize();
  });
}
