import { availableParallelism } from 'node:os';
import { expect, it } from 'vitest';
import { workerDevices, type WorkerRequest } from './worker-cards.js';

const onCpu: WorkerRequest = { workers: 1, placed: {}, provider: 'auto', emulateGpu: false, threads: undefined };
const twoGpus = { plan: new Map<string, number>([['vision_model', 0], ['', 1]]) }; // prettier-ignore

it('gives workers on the CPU equal parts of its threads', async () => {
  expect(await workerDevices(onCpu)).toEqual([{}]);
  expect(await workerDevices({ ...onCpu, workers: 'auto' })).toEqual([{}]);
  const each = Math.max(1, Math.floor(availableParallelism() / 2));
  expect(await workerDevices({ ...onCpu, workers: 2 })).toEqual([{ threads: each }, { threads: each }]);
  expect(await workerDevices({ ...onCpu, workers: 3, threads: 2 })).toEqual([2, 2, 2].map((threads) => ({ threads })));
  const emulated = { ...onCpu, placed: twoGpus, emulateGpu: true };
  expect(await workerDevices({ ...emulated, workers: 2 })).toHaveLength(2);
});

it('gives one worker what there is, and refuses more than there are cards for', async () => {
  const onGpus = { ...onCpu, placed: twoGpus };
  expect(await workerDevices(onGpus)).toEqual([{}]);
  for (const placed of [twoGpus, {}]) {
    const request = { ...onGpus, placed, provider: 'cuda' as const, workers: 1000 };
    await expect(workerDevices(request)).rejects.toMatchObject({ code: 'USAGE' });
  }
  const webgpu = { ...onCpu, provider: 'webgpu' as const };
  expect(await workerDevices({ ...webgpu, workers: 'auto' })).toEqual([{}]);
  await expect(workerDevices({ ...webgpu, workers: 2 })).rejects.toMatchObject({ code: 'USAGE' });
});
