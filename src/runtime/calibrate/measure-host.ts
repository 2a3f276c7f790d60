/** What the CPU reaches with the engine that will run on it. */
import '../onnx/no-telemetry.js';
import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { MEASURED_ERROR, type HostProfile } from '../../planner/price/device-profile.js';
import { UNKNOWN_HOST } from '../../planner/price/known-devices.js';
import { GraphBuilder } from '../onnx/graph-builder.js';
import { cpuOptions } from '../session/cpu/cpu-options.js';
import { hostName } from './host-name.js';
import { diskRate } from './measure-disk.js';
import {
  INNER,
  LARGE_LAYERS,
  LAYERS,
  LEAVES,
  layerTensors,
  leavesGraph,
  MANY_ROWS,
  productGraph,
  WIDTH,
} from './probe-graphs.js';
import { quantizedShare } from './quantized-share.js';
import { round } from './round.js';
import { medianMs } from './timing.js';

const BUDGET_MS = 1500;

export interface HostMeasurement {
  /** Whether blocks will run beside a GPU's, where threads do not wait for the next one by spinning. */
  readonly besideGpu: boolean;
  /** Ends it, with the signal's reason. */
  readonly signal: AbortSignal;
}

/**
 * Rates of ONNX Runtime on this CPU with weights mapped from a file, and of the disk that the file is on. The file (839 MB)
 * is written first, and is the caller's to remove.
 */
export async function measureHost(
  file: string,
  source: string,
  { besideGpu, signal }: HostMeasurement,
): Promise<HostProfile> {
  const tensors = layerTensors(file);
  await writeWeights(file, tensors.at(-1)?.end ?? 0, signal);
  const folder = dirname(file);
  const disk = await diskRate(file);
  const model = (layers: number) =>
    productGraph(
      new GraphBuilder(folder),
      'F32',
      (graph, layer) => {
        const tensor = tensors[layer];
        if (tensor === undefined) throw new RangeError(`there is no layer ${layer}`);
        return graph.weight(`layer.${layer}.weight`, tensor);
      },
      layers,
    );
  const options = hostOptions(folder, besideGpu);
  const timed = async (layers: number, count: number): Promise<number> => {
    signal.throwIfAborted();
    const session = await InferenceSession.create(model(layers), options);
    const ms = await medianMs(BUDGET_MS, () => session.run({ x: rows(count) }));
    await session.release();
    return ms;
  };
  const one = await timed(LARGE_LAYERS, 1);
  const many = await timed(LAYERS, MANY_ROWS);
  signal.throwIfAborted();
  const leaves = await InferenceSession.create(leavesGraph('F32'), options);
  const x = new Tensor('float32', new Float32Array(16), [1, 16]);
  const chain = await medianMs(BUDGET_MS / 3, () => leaves.run({ x }));
  await leaves.release();
  const flops = 2 * MANY_ROWS * WIDTH * INNER * LAYERS;
  const memoryBytesPerSecond = (1000 * (tensors.at(-1)?.end ?? 0)) / one;
  return {
    name: hostName(),
    memoryBytesPerSecond: round(memoryBytesPerSecond),
    quantizedBandwidth: quantizedShare(memoryBytesPerSecond),
    flopsPerSecond: round((1000 * flops) / many),
    leafMs: round(chain / LEAVES),
    diskBytesPerSecond: round(disk ?? UNKNOWN_HOST.diskBytesPerSecond),
    errorFactor: MEASURED_ERROR,
    source: disk === null ? `${source}; its disk is an estimate (no reads past the page cache here)` : source,
  };
}

function hostOptions(folder: string, besideGpu: boolean): InferenceSession.SessionOptions {
  const options = cpuOptions({ folder, quantized: false });
  if (!besideGpu) return options;
  const { session } = options.extra as { readonly session: object };
  return { ...options, extra: { session: { ...session, intra_op: { allow_spinning: '0' } } } };
}

function rows(count: number): Tensor {
  return new Tensor('float32', new Float32Array(count * WIDTH).fill(0.5), [count, WIDTH]);
}

/** Small numbers of every kind: neither zeros nor denormals, which some processors treat in their own time. */
async function writeWeights(file: string, bytes: number, signal: AbortSignal): Promise<void> {
  const block = new Float32Array(1 << 20);
  const noise = createHash('sha512').update('weights').digest();
  for (let i = 0; i < block.length; i++) block[i] = ((noise[i % noise.length] ?? 0) - 127.5) / 8192;
  const chunk = new Uint8Array(block.buffer);
  const handle = await open(file, 'w');
  try {
    for (let at = 0; at < bytes; at += chunk.length) {
      signal.throwIfAborted();
      await handle.write(chunk, 0, Math.min(chunk.length, bytes - at), at);
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
}
