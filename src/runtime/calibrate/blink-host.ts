/** What the CPU reaches, in a third of a second: nothing is written, and the disk is left alone. */
import type { HostProfile } from '../../planner/price/device-profile.js';
import { UNKNOWN_HOST } from '../../planner/price/known-devices.js';
import { GraphBuilder } from '../onnx/graph-builder.js';
import { HostMemory } from '../device/memory/host-memory.js';
import { OrtSession, RunOptions, type BoundTensor } from '../device/ort/ort-session.js';
import { hostName } from './host-name.js';
import { round } from './round.js';
import { quantizedShare } from './quantized-share.js';
import { INNER, layerShape, LEAVES, leavesGraph, MANY_ROWS, productGraph, WIDTH } from './probe-graphs.js';
import { BLINK, BLINK_ERROR, BLINK_ERROR_BESIDE, medianMs } from './timing.js';

/** Layers whose bytes are timed, one row at a time: 210 MB of float32, which most processors' caches do not hold. */
const SWEPT_LAYERS = 2;
/** Of the rows of a layer's weight, those that the arithmetic is timed with. */
const PRODUCT_PART = 8;

/** @param spins whether threads wait for the next operator by spinning, as where the CPU runs all of a model */
export async function blinkHost(source: string, spins: boolean): Promise<HostProfile> {
  using memory = new HostMemory();
  const weightBytes = 4 * WIDTH * INNER;
  const weights = Array.from({ length: SWEPT_LAYERS }, () => zeros(memory, weightBytes));
  const x = zeros(memory, 4 * MANY_ROWS * WIDTH);
  const y = zeros(memory, 4 * MANY_ROWS * INNER);
  const tensor = (address: bigint, dims: readonly number[]): BoundTensor => ({
    place: 'Cpu',
    address,
    dtype: 'F32',
    dims,
  });
  const runMs = async (model: Uint8Array, inputs: ReadonlyMap<string, BoundTensor>, output: BoundTensor) => {
    using session = new OrtSession(model, { spins });
    using binding = session.bind(inputs, new Map([['y', output]]));
    using options = new RunOptions();
    return await medianMs(BLINK.budgetMs, () => binding.run(options), BLINK.fewestCalls);
  };
  const sweptMs = await runMs(
    productGraph(new GraphBuilder('/'), 'F32', weightInput(layerShape), SWEPT_LAYERS),
    new Map([
      ['x', tensor(x, [1, WIDTH])],
      ...weights.map((address, layer) => [`w${layer}`, tensor(address, layerShape(layer))] as const),
    ]),
    tensor(y, [1, layerShape(SWEPT_LAYERS - 1)[0]]),
  );
  const part: [number, number] = [INNER / PRODUCT_PART, WIDTH];
  const productMs = await runMs(
    productGraph(
      new GraphBuilder('/'),
      'F32',
      weightInput(() => part),
      1,
    ),
    new Map([
      ['x', tensor(x, [MANY_ROWS, WIDTH])],
      ['w0', tensor(weights[0] ?? zeros(memory, weightBytes), part)],
    ]),
    tensor(y, [MANY_ROWS, part[0]]),
  );
  const memoryBytesPerSecond = (1000 * SWEPT_LAYERS * weightBytes) / sweptMs;
  const chainMs = await runMs(leavesGraph('F32'), new Map([['x', tensor(x, [1, 16])]]), tensor(y, [1, 16]));
  return {
    name: hostName(),
    memoryBytesPerSecond: round(memoryBytesPerSecond),
    quantizedBandwidth: quantizedShare(memoryBytesPerSecond),
    flopsPerSecond: round((1000 * 2 * MANY_ROWS * part[0] * part[1]) / productMs),
    leafMs: round(chainMs / LEAVES),
    diskBytesPerSecond: UNKNOWN_HOST.diskBytesPerSecond,
    errorFactor: spins ? BLINK_ERROR : BLINK_ERROR_BESIDE,
    source: `${source}; its disk is an estimate`,
  };
}

function zeros(memory: HostMemory, bytes: number): bigint {
  const address = memory.allocate(bytes);
  memory.zero(address, bytes);
  return address;
}

function weightInput(shapeOf: (layer: number) => readonly number[]) {
  return (graph: GraphBuilder, layer: number): string =>
    graph.input(`w${layer}`, { dtype: 'F32', dims: shapeOf(layer) });
}
