import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { gpuProfileSchema, parseMachineProfile } from '../../planner/price/device-profile.js';
import { KNOWN_GPUS, UNKNOWN_HOST } from '../../planner/price/known-devices.js';
import { hostDevice } from '../session/gpu/device/host-device.js';
import { calibrateMachine } from './calibrate-machine.js';
import { measureGpu } from './measure-gpu.js';
import { diskRate } from './measure-disk.js';
import { readMachineFile, writeMachineFile } from './machine-file.js';
import { leavesGraph, productGraph, quantizedGraph, quantizedInputs } from './probe-graphs.js';
import { GraphBuilder } from '../onnx/graph-builder.js';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { BLINK, medianMs, THOROUGH } from './timing.js';
import { elementCount } from '../../tensor/tensor-info.js';

const folder = await mkdtemp(join(tmpdir(), 'blip2-calibrate-'));
afterAll(() => rm(folder, { recursive: true }));

it('keeps a profile that reads back as it was, and nothing half written', async () => {
  expect(await readMachineFile(folder)).toBeNull();
  const profile = parseMachineProfile({ gpus: [], host: UNKNOWN_HOST });
  const file = await writeMachineFile(profile, folder);
  expect(await readMachineFile(folder)).toEqual(profile);
  expect(await readdir(folder)).toEqual(['machine.json']);
  await writeFile(file, (await readFile(file, 'utf8')).slice(0, 40));
  await expect(readMachineFile(folder)).rejects.toMatchObject({ code: 'PROFILE_INVALID' });
  await rm(file);
});

it('takes the median of what it times, at least five calls after the first', async () => {
  let calls = 0;
  expect(await medianMs(0, () => (calls += 1))).toBeGreaterThanOrEqual(0);
  expect(calls).toBe(6);
});

it('builds graphs that ONNX Runtime runs', async () => {
  const leaves = await InferenceSession.create(leavesGraph('F32'));
  const { y } = await leaves.run({ x: new Tensor('float32', new Float32Array(16).fill(3), [1, 16]) });
  // Weights and biases are zeros, and so is what comes out.
  expect(Array.from(y?.data as Float32Array)).toEqual(Array.from({ length: 16 }, () => 0));
  const product = productGraph(new GraphBuilder('/'), 'F32', (graph, layer) =>
    graph.input(`w${layer}`, { dtype: 'F32', dims: ['out', 'in'] }),
  );
  expect((await InferenceSession.create(product)).inputNames).toEqual(['x', 'w0', 'w1', 'w2']);
});

it('times products with integers that ONNX Runtime runs', async () => {
  const small = (layer: number): [number, number] => (layer % 2 === 0 ? [64, 32] : [32, 64]);
  const session = await InferenceSession.create(quantizedGraph('F32', small));
  const feeds = [...quantizedInputs('F32', small)].map(([name, { dtype, shape }]) => {
    const count = elementCount(shape);
    // Zero is 128: each weight is its scale, 1 / 64 or 1 / 32.
    const values = new Uint8Array(count).fill(129);
    const width = small(Number(name.slice(1)))[1];
    const tensor =
      dtype === 'U8'
        ? new Tensor('uint8', values, shape)
        : new Tensor('float32', new Float32Array(count).fill(1 / width), shape);
    return [name, tensor] as const;
  });
  const x = new Tensor('float32', new Float32Array(32).fill(3), [1, 32]);
  const { y } = await session.run({ x, ...Object.fromEntries(feeds) });
  expect(Array.from(y?.data as Float32Array)).toEqual(Array.from({ length: 32 }, () => 3));
});

it.each([THOROUGH, BLINK])('measures whatever the engine runs on: here the CPU (%o)', async (effort) => {
  const device = hostDevice({ threads: 2 });
  using _ = device.memory;
  const card = { name: 'Some H200', memoryBytes: 2 ** 30, contextBytes: 127 * 2 ** 20 };
  const profile = await measureGpu(device, card, 'measured', effort);
  // As strict as a file of profiles is read.
  expect(gpuProfileSchema.parse(profile)).toEqual(profile);
  const { memoryBytesPerSecond, flopsPerSecond, link, engines } = profile;
  for (const rate of [memoryBytesPerSecond, link.bytesPerSecond, engines['blip2-run'].streamBytesPerSecond]) {
    expect(rate).toBeGreaterThan(1e8);
    expect(rate).toBeLessThan(1e13);
  }
  expect(flopsPerSecond.float32).toBeGreaterThan(1e8);
  expect(engines['blip2-run'].leafMs).toBeLessThan(5);
  expect(engines.transformers.streamBytesPerSecond).toBeGreaterThan(1e8);
  const known = KNOWN_GPUS.get('H200')?.engines;
  // 400 MiB less than an H200's is what a context takes.
  const [run, transformers] = [known?.['blip2-run'], known?.transformers].map(
    (rates) => (rates?.contextBytes ?? 0) - 400 * 2 ** 20,
  );
  expect(engines['blip2-run'].contextBytes).toBe(run);
  expect(engines.transformers).toEqual({
    ...known?.transformers,
    contextBytes: transformers,
    streamBytesPerSecond: engines.transformers.streamBytesPerSecond,
  });
});

it('reads past the page cache, or says that it cannot', async () => {
  const file = join(folder, 'bytes');
  await writeFile(file, new Uint8Array(8 * 2 ** 20));
  const rate = await diskRate(file);
  if (rate !== null) expect(rate).toBeGreaterThan(0);
  expect(await diskRate(join(folder, 'absent'))).toBeNull();
});

it('leaves no file behind where it is told to stop', async () => {
  const controller = new AbortController();
  const onPart = (part: string) => {
    if (part.includes('CPU')) setTimeout(() => controller.abort(new Error('enough')), 20);
  };
  const cacheFolder = join(folder, 'stopped');
  await expect(calibrateMachine({ cacheFolder, onPart, signal: controller.signal })).rejects.toThrow('enough');
  expect(await readdir(cacheFolder)).toEqual([]);
});
