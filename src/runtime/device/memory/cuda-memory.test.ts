/** What a driver's answers are told as. The driver here has no card: it answers what a test says. */
import koffi from 'koffi';
import { expect, it } from 'vitest';
import { CudaDriver } from './cuda-driver.js';
import { CudaMemory } from './cuda-memory.js';

const MIB = 2 ** 20;
const OUT_OF_MEMORY = 2;
const LAUNCH_FAILED = 719;

type Arguments = Parameters<CudaDriver['try']>;

class AnsweringDriver extends CudaDriver {
  readonly answers = new Map<Arguments[0], number>();
  #next = 4096n;

  constructor() {
    super(koffi.load(null));
  }

  override try(...[name, first, second]: Arguments): number {
    const code = this.answers.get(name) ?? 0;
    if (code !== 0 || !Array.isArray(first)) return code;
    if (name === 'cuMemGetInfo_v2' && Array.isArray(second)) [first[0], second[0]] = [3 * MIB, 8 * MIB];
    else first[0] = this.#next += 4096n;
    return code;
  }
}

it('tells which memory is full, the GPU or the host, with the numbers', () => {
  const driver = new AnsweringDriver();
  using memory = new CudaMemory(driver, 1);
  memory.allocate(2 * MIB);
  driver.answers.set('cuMemAlloc_v2', OUT_OF_MEMORY);
  expect(() => memory.allocate(4 * MIB)).toThrow(
    expect.objectContaining({
      code: 'OUT_OF_MEMORY',
      message: 'GPU 1 has 3 MiB of 8 MiB free; 4 MiB more are needed beside the 2 MiB held here',
      details: {
        device: 'GPU 1',
        neededBytes: 4 * MIB,
        freeBytes: 3 * MIB,
        totalBytes: 8 * MIB,
        heldBytes: 2 * MIB,
      },
    }),
  );
  driver.answers.set('cuMemHostAlloc', OUT_OF_MEMORY);
  expect(() => memory.allocateHost(5 * MIB)).toThrow(
    expect.objectContaining({
      code: 'OUT_OF_MEMORY',
      message: expect.stringMatching(/^the host has .* free; 5 MiB more are needed beside the 0 bytes held here$/),
      hint: expect.stringContaining('batchSize'),
      details: expect.objectContaining({ device: 'the host', neededBytes: 5 * MIB, heldBytes: 0 }),
    }),
  );
});

it('calls other failures what they are', () => {
  const driver = new AnsweringDriver();
  using memory = new CudaMemory(driver, 0);
  driver.answers.set('cuMemHostAlloc', LAUNCH_FAILED);
  expect(() => memory.allocateHost(MIB)).toThrow(
    expect.objectContaining({ code: 'CUDA_FAILED', details: { function: 'cuMemHostAlloc', code: LAUNCH_FAILED } }),
  );
});
