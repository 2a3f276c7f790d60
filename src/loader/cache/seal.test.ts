import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { safetensorsBytes } from '../../../test/loader/safetensors-bytes.js';
import { openCheckpoint } from '../open-checkpoint.js';
import { materializeTensors } from './materialize-tensors.js';
import { replaceFile } from '../write/replace-file.js';
import { quantizedTensors, type ShardTensor } from '../write/shard-tensor.js';
import { sealFault, writeSealed } from './seal.js';

const MIB = 1024 * 1024;
const FIXTURE = join(import.meta.dirname, '../../../test/fixtures/loader/quantized-source.safetensors');

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'blip2-seal-'));
});
afterEach(() => rm(folder, { recursive: true }));

/** A file of the cache with so many bytes of float32, none of which is 0. */
async function cached(bytes: number): Promise<{ path: string; make: () => Promise<number> }> {
  const source = join(folder, 'model.safetensors');
  const half = new Uint8Array(bytes / 2).fill(0x3c);
  await writeFile(source, safetensorsBytes([{ name: 'w', dtype: 'F16', shape: [bytes / 4], bytes: half }]));
  const checkpoint = await openCheckpoint(source);
  const cacheFolder = join(folder, 'cache');
  const convert = () => materializeTensors(checkpoint, new Map([['w', 'F32']]), cacheFolder, { bufferBytes: 1 });
  const { file } = await convert();
  return { path: file ?? '', make: async () => (await convert()).convertedBytes };
}

async function overwrite(path: string, position: number, bytes: Uint8Array): Promise<void> {
  await using handle = await open(path, 'r+');
  await handle.write(bytes, 0, bytes.length, position);
}

describe('a sealed file', () => {
  it('is sound as it was written, in one piece or in many, and at no other byte', async () => {
    const { tensors } = await openCheckpoint(FIXTURE);
    const wanted = new Map<string, ShardTensor>(
      [...tensors].flatMap(([name, source]) => [
        [name, { source, dtype: source.dtype }] as const,
        ...quantizedTensors(name, source, 'int4'),
      ]),
    );
    const path = join(folder, 'sealed.safetensors');
    for (const bufferBytes of [1, 2 ** 26]) {
      await replaceFile(path, (handle) => writeSealed(handle, wanted, { bufferBytes }));
      expect(await sealFault(path, { extent: 'all' })).toBeNull();
    }
    const bytes = await readFile(path);
    const other = join(folder, 'other.safetensors');
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), async (at, change) => {
        const changed = Buffer.from(bytes);
        changed[at] = (changed[at] ?? 0) ^ change;
        await writeFile(other, changed);
        expect(await sealFault(other, { extent: 'all' })).not.toBeNull();
      }),
      { numRuns: 200 },
    );
  });

  it('is not sound in any shorter or longer form, nor without a seal', async () => {
    const { path } = await cached(3 * MIB);
    const bytes = await readFile(path);
    for (const other of [
      bytes.subarray(0, -1),
      bytes.subarray(0, 100),
      Buffer.alloc(0),
      Buffer.concat([bytes, bytes]),
    ]) {
      await writeFile(path, other);
      expect(await sealFault(path, { extent: 'samples' })).not.toBeNull();
    }
    expect(await sealFault(FIXTURE, { extent: 'samples' })).toBe('it has no seal');
    expect(await sealFault(join(folder, 'none'), { extent: 'samples' })).toContain('ENOENT');
  });
});

describe('a file of the cache that keeps its size', () => {
  it('is made again where two thirds of it are zeros, or its end', async () => {
    const { path, make } = await cached(40 * MIB);
    expect(await make()).toBe(0);
    for (const [begin, length] of [
      [4 * MIB, 26 * MIB],
      [39.5 * MIB, 0.5 * MIB],
    ] as const) {
      const before = await readFile(path);
      await overwrite(path, begin, new Uint8Array(length));
      expect(await make()).toBe(40 * MIB);
      expect(Buffer.compare(await readFile(path), before)).toBe(0);
    }
  });

  it('is known to be damaged by one byte once all of it is read', async () => {
    const { path } = await cached(40 * MIB);
    await overwrite(path, 20 * MIB, Uint8Array.of(1));
    const fault = await sealFault(path, { extent: 'all' });
    expect(fault).toMatch(/^its bytes from \d+ on are not what was written$/);
    const from = Number(fault?.replaceAll(/\D/g, ''));
    expect(from).toBeLessThanOrEqual(20 * MIB);
    expect(from).toBeGreaterThan(19 * MIB);
  });
});
