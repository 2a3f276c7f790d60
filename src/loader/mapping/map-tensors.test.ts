import { once } from 'node:events';
import { copyFile, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { safetensorsBytes } from '../../../test/loader/safetensors-bytes.js';
import type { Checkpoint } from '../checkpoint/checkpoint.js';
import type { StoredTensor } from '../format/stored-tensor.js';
import { openCheckpoint } from '../open-checkpoint.js';
import { mapTensors } from './map-tensors.js';
import { openShared } from './shared-tensor.js';
import { mapWindows } from './map-windows.js';
import { typedArray } from './tensor-view.js';

const values = (count: number, scale: number) => Float32Array.from({ length: count }, (_, i) => i * scale);
const bytesOf = (array: Float32Array) => new Uint8Array(array.buffer);

async function collectGarbage(): Promise<void> {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  for (let i = 0; i < 3; i++) {
    gc();
    await setImmediate();
  }
}

/** What Linux says about the mapping at an address. */
async function regionOf(address: bigint): Promise<string> {
  const regions = (await readFile('/proc/self/smaps', 'utf8')).split(/\n(?=[0-9a-f]+-[0-9a-f]+ )/);
  const within = (region: string) => {
    const [, from = '0', to = '0'] = /^([0-9a-f]+)-([0-9a-f]+)/.exec(region) ?? [];
    return BigInt(`0x${from}`) <= address && address < BigInt(`0x${to}`);
  };
  return regions.find(within) ?? '';
}

describe('mapWindows', () => {
  const layouts = fc.array(fc.record({ bytes: fc.nat(20_000), wanted: fc.boolean() }), { maxLength: 40 });

  it('covers every wanted byte and no page without one', () => {
    fc.assert(
      fc.property(
        layouts,
        fc.nat(9000),
        fc.constantFrom(4096, 16_384),
        fc.integer({ min: 1, max: 60_000 }),
        (layout, start, pageBytes, max) => {
          const tensors = new Map<string, StoredTensor>();
          let begin = start;
          for (const [i, { bytes, wanted }] of layout.entries()) {
            if (wanted) tensors.set(`t${i}`, { dtype: 'U8', shape: [bytes], file: 'f', begin, end: begin + bytes });
            begin += bytes;
          }
          const windows = mapWindows(tensors, { pageBytes, maxWindowBytes: max });
          const named = windows.flatMap((window) => window.names);
          expect(named.toSorted()).toEqual(
            [...tensors]
              .filter(([, t]) => t.end > t.begin)
              .map(([name]) => name)
              .sort(),
          );
          for (const window of windows) {
            expect(window.begin % pageBytes).toBe(0);
            for (const name of window.names) {
              const tensor = tensors.get(name);
              expect(tensor?.begin).toBeGreaterThanOrEqual(window.begin);
              expect(tensor?.end).toBeLessThanOrEqual(window.end);
            }
            for (let page = window.begin; page < window.end; page += pageBytes) {
              const used = [...tensors.values()].some(
                (t) => t.end > t.begin && t.begin < page + pageBytes && t.end > page,
              );
              expect(used, `page at ${page}`).toBe(true);
            }
            if (window.names.length > 1) expect(window.end - window.begin).toBeLessThanOrEqual(max);
          }
        },
      ),
    );
  });
});

describe('mapTensors', () => {
  let folder: string;
  let checkpoint: Checkpoint;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'map-tensors-'));
    const file = join(folder, 'model.safetensors');
    await writeFile(
      file,
      safetensorsBytes([
        { name: 'first', dtype: 'F32', shape: [4096], bytes: bytesOf(values(4096, 1)) },
        { name: 'middle', dtype: 'F32', shape: [512, 1024], bytes: bytesOf(values(512 * 1024, 2)) },
        { name: 'empty', dtype: 'F32', shape: [0, 3], bytes: new Uint8Array(0) },
        { name: 'odd', dtype: 'U8', shape: [3], bytes: Uint8Array.of(7, 8, 9) },
        { name: 'unaligned', dtype: 'F32', shape: [4], bytes: bytesOf(values(4, 3)) },
      ]),
    );
    checkpoint = await openCheckpoint(folder);
  });

  afterAll(() => rm(folder, { recursive: true }));

  it.each(['mmap', 'read'] as const)('%s gives the bytes of the file', async (backend) => {
    using mapped = await mapTensors(checkpoint, checkpoint.tensors.keys(), { backend });
    const whole = await readFile(join(folder, 'model.safetensors'));
    for (const [name, { begin, end, shape }] of checkpoint.tensors) {
      const view = mapped.get(name);
      expect(Buffer.compare(view.bytes, whole.subarray(begin, end))).toBe(0);
      expect(view.shape).toEqual(shape);
    }
    expect(typedArray(mapped.get('middle')).subarray(0, 3)).toEqual(Float32Array.of(0, 2, 4));
    expect(typedArray(mapped.get('unaligned'))).toEqual(Float32Array.of(0, 3, 6, 9));
    expect(mapped.notMapped.size).toBe(backend === 'mmap' ? 0 : 1);
  });

  it('maps only what is asked for', async () => {
    using mapped = await mapTensors(checkpoint, ['odd', 'unaligned']);
    expect(mapped.windowBytes).toBeLessThan(2 * 16_384);
    expect([...mapped.names].sort()).toEqual(['odd', 'unaligned']);
    expect(() => mapped.get('middle')).toThrow(/"middle" was not mapped/);
  });

  it.runIf(process.platform === 'linux')('maps the pages of the tensor, and unmaps them', async () => {
    const file = join(folder, 'own.safetensors');
    await copyFile(join(folder, 'model.safetensors'), file);
    const inMaps = async () =>
      (await readFile('/proc/self/maps', 'utf8')).split('\n').filter((line) => line.includes(file));
    const mapped = await mapTensors(await openCheckpoint(file), ['middle'], { backend: 'mmap' });
    const lines = await inMaps();
    expect(lines).toHaveLength(1);
    const [, from = '', to = ''] = /^(\w+)-(\w+) r--p/.exec(lines[0] ?? '') ?? [];
    expect(Number.parseInt(to, 16) - Number.parseInt(from, 16)).toBeLessThanOrEqual(2 * 1024 * 1024 + 2 * 4096);
    mapped.close();
    // Node 20 has to wait for the collector; later versions do not.
    if (Number(process.versions.node.split('.')[0]) < 22) await collectGarbage();
    expect(await inMaps()).toHaveLength(0);
    await rm(file);
  });

  it('prefetches, gives pages back, and reads the same again', async () => {
    using mapped = await mapTensors(checkpoint, checkpoint.tensors.keys(), { backend: 'mmap' });
    const before = mapped.get('middle').bytes.slice();
    const residentKiB = async () =>
      Number(/Rss:\s+(\d+)/.exec(await regionOf(mapped.share('middle').address))?.[1] ?? 0);
    mapped.prefetch(['middle', 'empty']);
    expect(Buffer.compare(mapped.get('middle').bytes, before)).toBe(0);
    if (process.platform === 'linux') expect(await residentKiB()).toBeGreaterThan(2000);
    mapped.release(['middle', 'empty']);
    if (process.platform === 'linux') expect(await residentKiB()).toBeLessThan(200);
    expect(Buffer.compare(mapped.get('middle').bytes, before)).toBe(0);
  });

  it('shares a tensor with a worker by its address', async () => {
    using mapped = await mapTensors(checkpoint, ['middle'], { backend: 'mmap' });
    const worker = new Worker(
      `const { parentPort, workerData } = require('node:worker_threads');
       const koffi = require('koffi');
       const view = new Float32Array(koffi.view(workerData.address, workerData.byteLength).slice(0, 16));
       parentPort.postMessage([...view]);`,
      { eval: true, workerData: mapped.share('middle') },
    );
    const [message] = (await once(worker, 'message')) as [number[]];
    expect(message).toEqual([0, 2, 4, 6]);
    await worker.terminate();
    expect(Buffer.compare((await openShared(mapped.share('middle'))).bytes, mapped.get('middle').bytes)).toBe(0);
    using read = await mapTensors(checkpoint, ['middle'], { backend: 'read' });
    expect(() => read.share('middle')).toThrow(/cannot be shared/);
  });

  it('has no view after close', async () => {
    const mapped = await mapTensors(checkpoint, ['first']);
    mapped.close();
    mapped.close();
    expect(() => mapped.get('first')).toThrow(expect.objectContaining({ code: 'MAPPING_CLOSED' }));
  });

  it('names every tensor that is not there', async () => {
    await expect(mapTensors(checkpoint, ['first', 'x', 'y'])).rejects.toMatchObject({
      code: 'TENSOR_NOT_FOUND',
      details: { unknown: ['x', 'y'] },
    });
  });

  it('refuses a file that has changed since it was opened', async () => {
    const file = join(folder, 'other.safetensors');
    await writeFile(file, safetensorsBytes([{ name: 'a', dtype: 'U8', shape: [9000], bytes: new Uint8Array(9000) }]));
    const other = await openCheckpoint(file);
    await truncate(file, 4096);
    await expect(mapTensors(other, ['a'])).rejects.toMatchObject({ code: 'FILE_CHANGED' });
    await rm(file);
  });
});
