import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { StoredTensor } from '../../../../loader/format/stored-tensor.js';
import type { AskedPiece, HostRange } from '../../../device/memory/device-memory.js';
import { HostMemory } from '../../../device/memory/host-memory.js';
import { WeightFiles } from './weight-files.js';

const folder = await mkdtemp(join(tmpdir(), 'blip2-weight-files-'));
afterAll(() => rm(folder, { recursive: true }));

const file = join(folder, 'a.safetensors');
const other = join(folder, 'b.safetensors');
await writeFile(
  file,
  Uint8Array.from({ length: 200_000 }, (_, i) => i % 251),
);
await writeFile(other, Uint8Array.of(1, 2, 3, 4));
const tensor = (path: string, begin: number, end: number): StoredTensor => ({
  dtype: 'F16',
  shape: [(end - begin) / 2],
  file: path,
  begin,
  end,
});

/** Locks what it is asked for, where it may, and says what happened. */
class Locker {
  readonly calls: string[] = [];
  readonly #may: (range: HostRange) => boolean;

  constructor(may: (range: HostRange) => boolean = () => true) {
    this.#may = may;
  }

  lockPages(range: HostRange) {
    this.calls.push(`lock ${range.bytes}`);
    return Promise.resolve(this.#may(range));
  }

  unlockPages(range: HostRange) {
    this.calls.push(`unlock ${range.bytes}`);
    return Promise.resolve(true);
  }
}

class PinningMemory extends HostMemory {
  readonly pins: { readonly bytes: number; readonly begun: readonly AskedPiece[] | undefined }[] = [];
  undone = 0;

  override async pin(_address = 0n, bytes = 0, begun?: Promise<readonly AskedPiece[]>): Promise<() => void> {
    this.pins.push({ bytes, begun: await begun });
    return () => void (this.undone += 1);
  }
}

describe.skipIf(process.platform === 'win32')('files of weights', () => {
  it('that a thread locks are pinned by what it locked, and not unlocked by it', async () => {
    const locker = new Locker();
    using memory = new PinningMemory();
    const files = await WeightFiles.open([tensor(file, 70_000, 80_000), tensor(file, 190_000, 200_000)]);
    files.lock([tensor(file, 70_000, 80_000), tensor(file, 190_000, 200_000)], locker);
    const address = files.addressOf(tensor(file, 0, 2));
    // One more file: the others stay where they are.
    expect(await WeightFiles.open([tensor(file, 0, 200_000), tensor(other, 0, 4)], files)).toBe(files);
    expect(files.addressOf(tensor(file, 0, 2))).toBe(address);
    expect([...files.bytesOf(tensor(other, 0, 4))]).toEqual([1, 2, 3, 4]);
    files.pin([tensor(file, 70_000, 80_000), tensor(other, 0, 4)], memory);
    await files.pinned();
    // From a border of pages on, and what nobody locked by the memory itself.
    expect(locker.calls).toEqual([`lock ${200_000 - 65_536}`]);
    expect(memory.pins).toEqual([
      {
        bytes: 80_000 - 65_536,
        begun: [{ range: { address: address + 65_536n, bytes: 200_000 - 65_536 }, isLocked: true }],
      },
      { bytes: 4, begun: undefined },
    ]);
    files[Symbol.dispose]();
    expect(memory.undone).toBe(2);
    expect(locker.calls).toHaveLength(1);
  });

  it('of which only some are pinned are unlocked where they are not', async () => {
    const locker = new Locker();
    using memory = new PinningMemory();
    const [pinned, converted] = [tensor(file, 0, 10), tensor(other, 0, 4)];
    const files = await WeightFiles.open([pinned, converted]);
    files.lock([pinned, converted], locker);
    files.pin([pinned], memory);
    await files.pinned();
    expect(locker.calls).toEqual(['lock 10', 'lock 4', 'unlock 4']);
    files[Symbol.dispose]();
    expect(locker.calls).toHaveLength(3);
  });

  it('that nobody pins are unlocked where they were locked', async () => {
    for (const [may, calls] of [
      [true, ['lock 10', 'unlock 10']],
      [false, ['lock 10']],
    ] as const) {
      const locker = new Locker(() => may);
      const files = await WeightFiles.open([tensor(file, 0, 10)]);
      files.lock([tensor(file, 0, 10)], locker);
      await files.drop();
      expect(locker.calls).toEqual(calls);
      expect(() => files.addressOf(tensor(file, 0, 2))).toThrow(/not mapped/);
    }
  });

  it('that are too short are not mapped, nor are those beside them any longer', async () => {
    const locker = new Locker();
    const files = await WeightFiles.open([tensor(file, 0, 10)]);
    files.lock([tensor(file, 0, 10)], locker);
    const error = { code: 'WEIGHTS_NOT_MAPPED', details: { path: other, sizeBytes: 4, neededBytes: 6 } };
    await expect(WeightFiles.open([tensor(other, 0, 6)], files)).rejects.toMatchObject(error);
    expect(locker.calls).toEqual(['lock 10', 'unlock 10']);
    await expect(WeightFiles.open([tensor(file, 0, 200_002)])).rejects.toMatchObject({ code: 'WEIGHTS_NOT_MAPPED' });
  });
});
