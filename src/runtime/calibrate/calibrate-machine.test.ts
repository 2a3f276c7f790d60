import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { gpuProfileSchema, parseMachineProfile } from '../../planner/price/device-profile.js';
import { KNOWN_GPUS, UNKNOWN_HOST } from '../../planner/price/known-devices.js';
import { hostDevice } from '../provider/engine/device/host-device.js';
import { calibrateMachine } from './calibrate-machine.js';
import { measureGpu } from './measure-gpu.js';
import { diskRate } from './measure-disk.js';
import { readMachineFile, writeMachineFile } from './machine-file.js';
import { leavesGraph, productGraph } from './probe-graphs.js';
import { GraphBuilder } from '../onnx/graph-builder.js';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { medianMs } from './timing.js';

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

it('measures whatever the engine runs on: here the CPU', async () => {
  const device = hostDevice({ threads: 2 });
  using _ = device.memory;
  const card = { name: 'Some H200', memoryBytes: 2 ** 30, freeBytes: null };
  const profile = await measureGpu(device, card, 'measured');
  // As strict as a file of profiles is read.
  expect(gpuProfileSchema.parse(profile)).toEqual(profile);
  const { memoryBytesPerSecond, flopsPerSecond, link, engines } = profile;
  for (const rate of [memoryBytesPerSecond, link.bytesPerSecond, engines['blip2-run'].streamBytesPerSecond]) {
    expect(rate).toBeGreaterThan(1e8);
    expect(rate).toBeLessThan(1e13);
  }
  expect(flopsPerSecond.float32).toBeGreaterThan(1e8);
  expect(engines['blip2-run'].leafMs).toBeLessThan(5);
  expect(engines.transformers).toEqual(KNOWN_GPUS.get('H200')?.engines.transformers);
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
