/** What a driver's answers are told as. The driver here has no card: it answers what a test says. */
import { assert, bigInt, integer, property } from 'fast-check';
import koffi from 'koffi';
import { describe, expect, it } from 'vitest';
import { CudaDriver } from './cuda-driver.js';
import { CudaMemory } from './cuda-memory.js';
import { lockedPieces } from './locked-pieces.js';

const MIB = 2 ** 20;
const OUT_OF_MEMORY = 2;
const LAUNCH_FAILED = 719;

type Arguments = Parameters<CudaDriver['try']>;

class AnsweringDriver extends CudaDriver {
  readonly answers = new Map<Arguments[0], number>();
  readonly calls: Arguments[] = [];
  #next = 4096n;

  constructor() {
    super(koffi.load(null));
  }

  override try(...given: Arguments): number {
    this.calls.push(given);
    const [name, first, second] = given;
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

describe('pieces of locked memory', () => {
  const BORDER = 2n ** 28n;
  const over = { address: 5n * BORDER - 4096n, bytes: 8192 };

  it.each([
    ['here', undefined],
    ['where a thread was lost', () => Promise.resolve(undefined)],
  ])('are locked, copied and unlocked apart, %s', async (_, lockPages) => {
    const driver = new AnsweringDriver();
    using memory = new CudaMemory(driver, 0, false, lockPages);
    const unpin = await memory.pin(over.address, over.bytes);
    memory.uploadParts(1n, [over], true);
    unpin();
    const called = (name: Arguments[0]) => driver.calls.filter(([each]) => each === name).map(([, ...rest]) => rest);
    expect(called('cuMemHostRegister_v2').map(([address, bytes]) => [address, bytes])).toEqual([
      [over.address, 4096],
      [5n * BORDER, 4096],
    ]);
    expect(called('cuMemcpyHtoDAsync_v2').map(([to, from, bytes]) => [to, from, bytes])).toEqual([
      [1n, over.address, 4096],
      [4097n, 5n * BORDER, 4096],
    ]);
    expect(called('cuMemHostUnregister')).toEqual([[over.address], [5n * BORDER]]);
  });

  it('are locked by a thread where there is one, and unlocked where it did', async () => {
    const driver = new AnsweringDriver();
    using memory = new CudaMemory(driver, 0, false, ({ address }) => Promise.resolve(address === over.address));
    const unpin = await memory.pin(over.address, over.bytes);
    unpin();
    const names = driver.calls.map(([name]) => name);
    expect(names).not.toContain('cuMemHostRegister_v2');
    expect(driver.calls.filter(([name]) => name === 'cuMemHostUnregister')).toEqual([
      ['cuMemHostUnregister', over.address],
    ]);
  });

  it('that a thread was asked for before are locked here where it could not try, and nowhere where it could not lock', async () => {
    const driver = new AnsweringDriver();
    using memory = new CudaMemory(driver, 0);
    const piece = (place: bigint, isLocked: boolean | undefined) => ({
      range: { address: place * BORDER, bytes: 4096 },
      isLocked,
    });
    const begun = Promise.resolve([piece(5n, true), piece(6n, false), piece(7n, undefined)]);
    const unpin = await memory.pin(5n * BORDER, 3 * Number(BORDER), begun);
    unpin();
    const called = (name: Arguments[0]) => driver.calls.filter(([each]) => each === name).map(([, address]) => address);
    expect(called('cuMemHostRegister_v2')).toEqual([7n * BORDER]);
    expect(called('cuMemHostUnregister')).toEqual([5n * BORDER, 7n * BORDER]);
  });

  it.each([
    [{ address: 5n * BORDER, bytes: Number(BORDER) }, [[5n * BORDER, 2 ** 28]]],
    [
      { address: 5n * BORDER - 4096n, bytes: 8192 },
      [
        [5n * BORDER - 4096n, 4096],
        [5n * BORDER, 4096],
      ],
    ],
    [{ address: 7n, bytes: 0 }, []],
  ] as const)('%o', (range, pieces) => {
    expect(lockedPieces(range).map(({ address, bytes }) => [address, bytes])).toEqual(pieces);
  });

  it('are the range without gaps, none over a border', () => {
    assert(
      property(bigInt(0n, 2n ** 47n), integer({ min: 1, max: 2 ** 32 }), (address, bytes) => {
        let next = address;
        for (const piece of lockedPieces({ address, bytes })) {
          expect(piece.address).toBe(next);
          next += BigInt(piece.bytes);
          expect(piece.address / BORDER).toBe((next - 1n) / BORDER);
        }
        expect(next).toBe(address + BigInt(bytes));
      }),
    );
  });
});

it('leaves a driver that is not there to whoever loads it', () => {
  expect(() => CudaDriver.startAside()).not.toThrow();
});
