import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { safetensorsBytes } from '../../../test/loader/safetensors-bytes.js';
import { DTYPE_BITS, type Dtype } from '../../tensor/dtype.js';
import type { Checkpoint } from '../checkpoint/checkpoint.js';
import { openCheckpoint } from '../open-checkpoint.js';
import { convertFloats, isFloatDtype } from '../convert/convert-floats.js';
import { layoutFile } from './file-layout.js';
import { materializeTensors } from '../cache/materialize-tensors.js';
import type { ShardTensor } from './shard-tensor.js';
import { writeShard } from './write-shard.js';

const fixture = new URL('../../../test/fixtures/loader/all-dtypes.safetensors', import.meta.url);

let folder: string;
let out: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'write-shard-'));
  out = join(folder, 'out.safetensors');
});

afterEach(() => rm(folder, { recursive: true }));

const unchanged = ({ tensors }: Checkpoint) =>
  new Map([...tensors].map(([name, source]): [string, ShardTensor] => [name, { source, dtype: source.dtype }]));

async function tensorBytesOf(checkpoint: Checkpoint, name: string): Promise<Uint8Array> {
  const tensor = checkpoint.tensors.get(name);
  if (tensor === undefined) throw new Error(name);
  return (await readFile(tensor.file)).subarray(tensor.begin, tensor.end);
}

describe('layoutFile', () => {
  it('sorts names by UTF-8, not by UTF-16', () => {
    const info = { dtype: 'U8', shape: [1] } as const;
    const { tensors } = layoutFile([
      ['😀', info],
      ['\uffee', info],
      ['a', { dtype: 'F32', shape: [1] }],
    ]);
    expect(tensors.map(({ name }) => name)).toEqual(['a', '\uffee', '😀']);
  });

  it('refuses to align to more than a header may have, and says that more shards do not help', () => {
    const tooLarge = expect.objectContaining({
      code: 'HEADER_TOO_LARGE',
      hint: 'The tensors take 54 of them, and aligning to 1000000000 the others: align to less, such as 256.',
    }) as Error;
    expect(() => layoutFile([['a', { dtype: 'F32', shape: [1] }]], { alignBytes: 1e9 })).toThrow(tooLarge);
  });
});

describe('writeShard', () => {
  it('writes the bytes that the reference writer writes, where it aligns as that does', async () => {
    const checkpoint = await openCheckpoint(fixture.pathname);
    const metadata = checkpoint.files[0]?.metadata ?? new Map<string, string>();
    await writeShard(out, unchanged(checkpoint), { metadata, alignBytes: 8 });
    expect(Buffer.compare(await readFile(out), await readFile(fixture))).toBe(0);
  });

  it('starts the data at a multiple of 256, and gives the same bytes each time', async () => {
    const checkpoint = await openCheckpoint(fixture.pathname);
    const metadata = new Map([['z', '1'], ['a', '2'], ['format', 'pt']]); // prettier-ignore
    await writeShard(out, unchanged(checkpoint), { metadata });
    const first = await readFile(out);
    await writeShard(out, new Map([...unchanged(checkpoint)].toReversed()), {
      metadata: new Map([...metadata].toReversed()),
    });
    expect(Buffer.compare(await readFile(out), first)).toBe(0);
    const written = await openCheckpoint(out);
    expect((written.files[0]?.dataStart ?? 1) % 256).toBe(0);
    expect(written.files[0]?.metadata).toEqual(metadata);
  });

  it('keeps every byte, converts what it is asked to, through buffers smaller than a tensor', async () => {
    const tensor = fc.record({
      dtype: fc.constantFrom<Dtype>('F32', 'F16', 'BF16', 'U8', 'I64'),
      to: fc.constantFrom<Dtype>('F32', 'F16', 'BF16'),
      count: fc.oneof(fc.nat(20), fc.integer({ min: 3000, max: 9000 })),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(tensor, { minLength: 1, maxLength: 6 }), async (layout) => {
        const source = join(folder, 'in.safetensors');
        const written = layout.map(({ dtype, count }, i) => {
          const length = (count * DTYPE_BITS[dtype]) / 8;
          return {
            name: `t${i}`,
            dtype,
            shape: [count],
            bytes: Uint8Array.from({ length }, (_, b) => (b * 7 + i) % 120),
          };
        });
        await writeFile(source, safetensorsBytes(written));
        const checkpoint = await openCheckpoint(source);
        const wanted = unchanged(checkpoint);
        for (const [i, { dtype, to }] of layout.entries()) {
          const stored = checkpoint.tensors.get(`t${i}`);
          if (stored !== undefined && isFloatDtype(dtype)) wanted.set(`t${i}`, { source: stored, dtype: to });
        }
        await writeShard(out, wanted, { bufferBytes: 1 });
        const result = await openCheckpoint(out);
        for (const [name, { source: stored, dtype }] of wanted) {
          const before = await tensorBytesOf(checkpoint, name);
          const expected = new Uint8Array((before.length * DTYPE_BITS[dtype]) / DTYPE_BITS[stored.dtype]);
          convertFloats(before, stored.dtype, expected, dtype);
          expect(result.tensors.get(name)).toMatchObject({ dtype, shape: stored.shape });
          expect(Buffer.compare(await tensorBytesOf(result, name), expected)).toBe(0);
        }
      }),
      { numRuns: 40 },
    );
  });

  it('leaves nothing behind when it is stopped, and the file of before as it was', async () => {
    await writeFile(out, 'before');
    const checkpoint = await openCheckpoint(fixture.pathname);
    const controller = new AbortController();
    controller.abort(new Error('stop'));
    await expect(writeShard(out, unchanged(checkpoint), { signal: controller.signal })).rejects.toThrow('stop');
    expect(await readdir(folder)).toEqual(['out.safetensors']);
    expect(await readFile(out, 'utf8')).toBe('before');
  });

  it('refuses a conversion that does not exist before it writes anything', async () => {
    const checkpoint = await openCheckpoint(fixture.pathname);
    const source = checkpoint.tensors.get('int64');
    if (source === undefined) throw new Error('int64');
    await expect(writeShard(out, new Map([['x', { source, dtype: 'F32' }]]))).rejects.toMatchObject({
      code: 'CONVERSION_UNSUPPORTED',
    });
    expect(await readdir(folder)).toEqual([]);
  });
});

describe('materializeTensors', () => {
  it('converts once, keeps what has the dtype already, and converts again when the file changes', async () => {
    const source = join(folder, 'model.safetensors');
    const half = { name: 'half', dtype: 'F16', shape: [2], bytes: Uint8Array.of(0, 0x3c, 0, 0xc0) };
    const full = { name: 'full', dtype: 'F32', shape: [1], bytes: Uint8Array.of(0, 0, 0x80, 0x3f) };
    await writeFile(source, safetensorsBytes([full, half]));
    const dtypes = new Map<string, Dtype>([['half', 'F32'], ['full', 'F32']]); // prettier-ignore
    const cache = join(folder, 'cache/deep');

    const checkpoint = await openCheckpoint(folder);
    const first = await materializeTensors(checkpoint, dtypes, cache);
    expect(first.convertedBytes).toBe(8);
    expect(first.tensors.get('full')).toBe(checkpoint.tensors.get('full'));
    expect(first.tensors.get('half')).toMatchObject({ dtype: 'F32', shape: [2], file: first.file });
    const { begin = 0, end = 0 } = first.tensors.get('half') ?? {};
    const bytes = (await readFile(first.file ?? '')).subarray(begin, end);
    expect(Buffer.compare(bytes, new Uint8Array(Float32Array.of(1, -2).buffer))).toBe(0);

    const left = join(cache, '.x.safetensors.of-a-killed-run.blip2-partial');
    await writeFile(left, '');
    const second = await materializeTensors(checkpoint, dtypes, cache);
    expect(second).toEqual({ ...first, convertedBytes: 0 });

    await writeFile(source, safetensorsBytes([full, half]));
    const third = await materializeTensors(await openCheckpoint(folder), dtypes, cache);
    expect(third.convertedBytes).toBe(8);
    expect((await readdir(cache)).filter((name) => name.startsWith('.'))).toEqual([]);
  });

  it('may be asked twice at the same time', async () => {
    const source = await openCheckpoint(fixture.pathname);
    const dtypes = new Map<string, Dtype>([['float16', 'F32']]);
    const cache = join(folder, 'cache');
    const both = await Promise.all([
      materializeTensors(source, dtypes, cache),
      materializeTensors(source, dtypes, cache),
    ]);
    expect(both[0].file).toBe(both[1].file);
    expect(await readdir(cache)).toHaveLength(1);
  });

  it('makes no file where nothing has to be converted', async () => {
    const checkpoint = await openCheckpoint(fixture.pathname);
    const result = await materializeTensors(checkpoint, new Map([['float32', 'F32']]), join(folder, 'cache'));
    expect(result).toMatchObject({ file: null, convertedBytes: 0 });
    expect(await readdir(folder)).toEqual([]);
  });
});
