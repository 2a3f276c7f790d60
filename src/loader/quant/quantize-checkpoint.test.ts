import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { safetensorsBytes } from '../../../test/loader/safetensors-bytes.js';
import { QUANT_SCHEMES } from '../../tensor/quantized.js';
import type { Checkpoint } from '../checkpoint/checkpoint.js';
import type { StoredTensor } from '../format/stored-tensor.js';
import { openCheckpoint } from '../open-checkpoint.js';
import { quantizeCheckpoint } from './quantize-checkpoint.js';

const fixture = (name: string) => fileURLToPath(new URL(`../../../test/fixtures/loader/${name}`, import.meta.url));

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'quantize-'));
});

afterEach(() => rm(folder, { recursive: true }));

async function bytesOf({ file, begin, end }: StoredTensor): Promise<Buffer> {
  return (await readFile(file)).subarray(begin, end);
}

async function withWeight(values: readonly number[], shape: readonly number[]): Promise<Checkpoint> {
  const bytes = new Uint8Array(Float32Array.from(values).buffer);
  const path = join(folder, 'model.safetensors');
  await writeFile(path, safetensorsBytes([{ name: 'w', dtype: 'F32', shape, bytes }]));
  return openCheckpoint(path);
}

describe('quantizeCheckpoint', () => {
  it.each([undefined, 64 * 1024])('gives bit for bit what numpy does (buffers of %s bytes)', async (bufferBytes) => {
    const source = await openCheckpoint(fixture('quantized-source.safetensors'));
    const expected = await openCheckpoint(fixture('quantized.safetensors'));
    const names = [...source.tensors.keys()];
    const weights = QUANT_SCHEMES.flatMap((scheme) => names.map((name) => ({ name, source: name, scheme })));
    const result = await quantizeCheckpoint(source, weights, folder, bufferBytes === undefined ? {} : { bufferBytes });
    expect([...result.tensors.keys()].sort()).toEqual([...expected.tensors.keys()].sort());
    for (const [name, tensor] of expected.tensors) {
      const made = result.tensors.get(name);
      expect([name, made?.dtype, made?.shape]).toEqual([name, tensor.dtype, tensor.shape]);
      if (made !== undefined) expect([name, await bytesOf(made)]).toEqual([name, await bytesOf(tensor)]);
    }
  });

  it('keeps a source that is another weight too, and everything else', async () => {
    const source = await openCheckpoint(fixture('quantized-source.safetensors'));
    const weights = [
      { name: 'head', source: 'even', scheme: 'int8' as const },
      { name: 'odd', source: 'odd', scheme: 'int4' as const },
    ];
    const { tensors, files } = await quantizeCheckpoint(source, weights, folder);
    expect(tensors.get('even')).toBe(source.tensors.get('even'));
    expect(tensors.has('odd')).toBe(false);
    expect(tensors.get('head.int8')).toMatchObject({ dtype: 'U8', shape: [12, 8, 32] });
    expect(tensors.get('odd.int4_scales')).toMatchObject({ dtype: 'F16', shape: [7, 2] });
    expect(files.map(({ path }) => path)).toContain(tensors.get('head.int8')?.file);
    expect(await quantizeCheckpoint(source, [], folder)).toBe(source);
  });

  it('is done once, anew for another scheme, and leaves nothing where it is stopped', async () => {
    const source = await openCheckpoint(fixture('quantized-source.safetensors'));
    const weights = [{ name: 'even', source: 'even', scheme: 'int8' as const }];
    const stopped = quantizeCheckpoint(source, weights, folder, { signal: AbortSignal.abort() });
    await expect(stopped).rejects.toMatchObject({ name: 'AbortError' });
    expect(await readdir(folder)).toEqual([]);
    const progress: number[] = [];
    const onProgress = (written: number, total: number) => progress.push(written / total);
    await quantizeCheckpoint(source, weights, folder, { onProgress });
    expect(progress.at(-1)).toBe(1);
    progress.length = 0;
    await quantizeCheckpoint(source, weights, folder, { onProgress });
    expect(progress).toEqual([]);
    await quantizeCheckpoint(source, [{ name: 'even', source: 'even', scheme: 'int4' }], folder);
    expect(await readdir(folder)).toHaveLength(2);
  });

  it.each([
    [Number.NaN, 40],
    [Number.NEGATIVE_INFINITY, 63],
    [3e38, 70],
  ])('refuses %d, says where, writes nothing', async (value, at) => {
    const checkpoint = await withWeight(
      Array.from({ length: 2 * 50 }, (_, i) => (i === at ? value : 1)),
      [2, 50],
    );
    const row = Math.floor(at / 50);
    for (const scheme of QUANT_SCHEMES) {
      const quantizing = quantizeCheckpoint(checkpoint, [{ name: 'w', source: 'w', scheme }], join(folder, 'cache'));
      await expect(quantizing).rejects.toMatchObject({ code: 'NOT_QUANTIZABLE', details: { tensor: 'w', row } });
    }
    expect(await readdir(join(folder, 'cache'))).toEqual([]);
  });

  it('refuses what is no matrix of floats, and names that are not there', async () => {
    const vector = await withWeight([1, 2, 3], [3]);
    const quantize = (source: string) => quantizeCheckpoint(vector, [{ name: 'w', source, scheme: 'int8' }], folder);
    await expect(quantize('w')).rejects.toMatchObject({ code: 'CONVERSION_UNSUPPORTED' });
    await expect(quantize('x')).rejects.toMatchObject({ code: 'TENSOR_NOT_FOUND' });
  });
});
