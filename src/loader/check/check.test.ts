import { createHash } from 'node:crypto';
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { safetensorsBytes, withHeader } from '../../../test/loader/safetensors-bytes.js';
import { tensorBytes } from '../../tensor/tensor-info.js';
import type { Checkpoint } from '../checkpoint/checkpoint.js';
import { openCheckpoint } from '../open-checkpoint.js';
import { nameShards, splitBySize } from '../shard/shard-plan.js';
import { writeCheckpoint } from '../shard/write-checkpoint.js';
import { quantizeCheckpoint } from '../quant/quantize-checkpoint.js';
import type { QuantScheme } from '../../tensor/quantized.js';
import { diffCheckpoints } from './diff-checkpoints.js';
import { hashCheckpoint } from './hash-checkpoint.js';
import { moduleTree } from './module-tree.js';
import { openForRepair } from './repair-checkpoint.js';
import { verifyCheckpoint } from './verify-checkpoint.js';

const SOURCE = new URL('../../../test/fixtures/loader/split-source.safetensors', import.meta.url);

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'check-'));
});

afterEach(() => rm(folder, { recursive: true }));

const unchanged = (checkpoint: Checkpoint) =>
  new Map([...checkpoint.tensors].map(([name, source]) => [name, { source, dtype: source.dtype }]));

const floats = (...values: number[]) => new Uint8Array(Float32Array.from(values).buffer);

async function single(name: string, content: Uint8Array): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, content);
  return path;
}

describe('weights in small integers', () => {
  const fixture = (name: string) => new URL(`../../../test/fixtures/loader/${name}`, import.meta.url).pathname;

  /** Every matrix of the fixture under its own name, in small integers. */
  async function quantized(scheme: QuantScheme): Promise<Checkpoint> {
    const source = await openCheckpoint(fixture('quantized-source.safetensors'));
    const weights = [...source.tensors.keys()].map((name) => ({ name, source: name, scheme }));
    return quantizeCheckpoint(source, weights, join(folder, scheme));
  }

  it('are one weight each in the tree', async () => {
    const source = await openCheckpoint(fixture('quantized-source.safetensors'));
    const tree = moduleTree((await quantized('int4')).tensors);
    expect(tree.children.map(({ path }) => path).sort()).toEqual([...source.tensors.keys()].sort());
    expect(tree.children.find(({ path }) => path === 'odd')).toMatchObject({
      tensors: 2,
      // 7 rows of 75 values, filled up to two blocks of 64; half a byte each, and a scale per block.
      parameters: 7 * 128,
      bytes: 7 * 64 + 7 * 2 * 2,
      dtypes: new Map([['int4', 7 * 128]]),
    });
  });

  it('differ from their floats by at most half a step, and from each other', async () => {
    const source = await openCheckpoint(fixture('quantized-source.safetensors'));
    const [int8, int4] = [await quantized('int8'), await quantized('int4')];
    const of = (differences: Awaited<ReturnType<typeof diffCheckpoints>>, name: string) =>
      differences.find((difference) => difference.name === name);
    const differences = await diffCheckpoints(source, int8, { atol: 0 });
    expect(differences.every(({ kind }) => kind === 'values')).toBe(true);
    const values = of(differences, 'even');
    // The largest of 3072 values with a deviation of 0.03 is about 0.12; half a step is a 254th of it.
    expect(values).toMatchObject({ kind: 'values', maxAbs: expect.closeTo(0.0004, 3) as number });
    expect(of(await diffCheckpoints(source, int8), 'even')).toEqual({
      kind: 'dtype',
      name: 'even',
      a: 'F32',
      b: 'int8',
    });
    expect(of(await diffCheckpoints(int4, int8, { atol: 0 }), 'odd')).toMatchObject({ kind: 'values' });
    expect(await diffCheckpoints(int8, int8)).toEqual([]);
    expect(await diffCheckpoints(int4, int4, { atol: 0 })).toEqual([]);
    expect(of(await diffCheckpoints(source, int8, { atol: 0.01 }), 'even')).toBeUndefined();
  });

  it('are looked at in halves by verify', async () => {
    const zeros = (bytes: number) => new Uint8Array(bytes);
    const path = await single(
      'model.safetensors',
      safetensorsBytes([
        { name: 'fine.int8', dtype: 'U8', shape: [2, 1, 32], bytes: zeros(64) },
        { name: 'fine.int8_scales', dtype: 'F16', shape: [2, 1], bytes: zeros(4) },
        { name: 'alone.int8_scales', dtype: 'F16', shape: [2, 1], bytes: zeros(4) },
        { name: 'short.int4', dtype: 'U8', shape: [2, 1, 32], bytes: zeros(64) },
        { name: 'short.int4_scales', dtype: 'F16', shape: [1, 1], bytes: zeros(2) },
      ]),
    );
    const { findings } = await verifyCheckpoint(path);
    expect(findings.map(({ code, severity, tensor }) => [code, severity, tensor])).toEqual([
      ['QUANTIZED_WEIGHT', 'warning', 'alone.int8_scales'],
      ['QUANTIZED_WEIGHT', 'warning', 'short.int4'],
    ]);
  });
});

describe('hashCheckpoint', () => {
  it('is the same for any sharding and alignment of the same tensors, and splitting then merging gives it back', async () => {
    const source = await openCheckpoint(SOURCE.pathname);
    const { hash, tensors } = await hashCheckpoint(source);
    expect(tensors.size).toBe(source.tensors.size);
    const sizes = new Map([...source.tensors].map(([name, info]) => [name, tensorBytes(info)]));
    let run = 0;
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 8000 }), fc.constantFrom(8, 64, 4096), async (limit, alignBytes) => {
        const split = join(folder, `split-${run}`);
        const merged = join(folder, `merged-${run++}`);
        const shards = nameShards(splitBySize(sizes, limit));
        await writeCheckpoint({ source, shards, tensors: unchanged(source) }, split, { alignBytes });
        const parts = await openCheckpoint(split);
        expect((await hashCheckpoint(parts)).hash).toBe(hash);
        const one = nameShards([[...parts.tensors.keys()]]);
        await writeCheckpoint({ source: parts, shards: one, tensors: unchanged(parts) }, merged);
        expect((await hashCheckpoint(await openCheckpoint(merged))).hash).toBe(hash);
      }),
      { numRuns: 10 },
    );
  });

  it('changes with a name, a dtype, a shape or a byte', async () => {
    const base = { name: 'a', dtype: 'F32', shape: [2], bytes: floats(1, 2) };
    const variants = [
      base,
      { ...base, name: 'b' },
      { ...base, dtype: 'I32' },
      { ...base, shape: [1, 2] },
      { ...base, bytes: floats(1, 3) },
    ];
    const hashes = await Promise.all(
      variants.map(async (tensor, i) => {
        const path = await single(`${i}.safetensors`, safetensorsBytes([tensor]));
        return (await hashCheckpoint(await openCheckpoint(path))).hash;
      }),
    );
    expect(new Set(hashes).size).toBe(variants.length);
  });
});

describe('diffCheckpoints', () => {
  it('finds every kind of difference', async () => {
    const tensor = (name: string, dtype: string, shape: number[], bytes: Uint8Array) => ({ name, dtype, shape, bytes });
    const same = tensor('same', 'F32', [1], floats(1));
    const a = await single('a.safetensors', safetensorsBytes([
      same, tensor('gone', 'F32', [1], floats(1)), tensor('dtype', 'F32', [1], floats(1)), tensor('shape', 'F32', [2], floats(1, 2)),
      tensor('values', 'F32', [3], floats(1, 2, Number.NaN)), tensor('nan', 'F32', [1], floats(Number.NaN)),
    ])); // prettier-ignore
    const b = await single('b.safetensors', safetensorsBytes([
      same, tensor('dtype', 'BF16', [1], Uint8Array.of(0x80, 0x3f)), tensor('shape', 'F32', [1, 2], floats(1, 2)),
      tensor('values', 'F32', [3], floats(1, 2.5, Number.NaN)), tensor('nan', 'F32', [1], floats(0)), tensor('new', 'F32', [1], floats(1)),
    ])); // prettier-ignore
    const [left, right] = [await openCheckpoint(a), await openCheckpoint(b)];
    expect(await diffCheckpoints(left, left)).toEqual([]);
    expect(await diffCheckpoints(left, right)).toEqual([
      { kind: 'only-in-a', name: 'gone' },
      { kind: 'dtype', name: 'dtype', a: 'F32', b: 'BF16' },
      { kind: 'shape', name: 'shape', a: '[2]', b: '[1, 2]' },
      { kind: 'values', name: 'values', maxAbs: null },
      { kind: 'values', name: 'nan', maxAbs: null },
      { kind: 'only-in-b', name: 'new' },
    ]);
    const within = await diffCheckpoints(left, right, { atol: 0.4 });
    expect(within.find(({ name }) => name === 'dtype')).toBeUndefined();
    expect(within).toContainEqual({ kind: 'values', name: 'values', maxAbs: 0.5 });
    expect(within).toContainEqual({ kind: 'values', name: 'nan', maxAbs: Number.POSITIVE_INFINITY });
    expect((await diffCheckpoints(left, right, { atol: 0.5 })).find(({ name }) => name === 'values')).toBeUndefined();
  });

  it('compares floats of every size by their values', async () => {
    const write = (name: string, dtype: string, bytes: Uint8Array) =>
      single(name, safetensorsBytes([{ name: 'w', dtype, shape: [2], bytes }]));
    const double = await openCheckpoint(
      await write('d', 'F64', new Uint8Array(Float64Array.of(1, 1.75 + 1e-12).buffer)),
    );
    const full = await openCheckpoint(await write('f', 'F32', floats(1, 1.75)));
    // 1 and 1.75 with three bits behind the point, and an exponent of 7 for 0.
    const small = await openCheckpoint(await write('s', 'F8_E4M3', Uint8Array.of(0x38, 0x3e)));
    for (const other of [full, small]) {
      expect(await diffCheckpoints(double, other, { atol: 1e-9 })).toEqual([]);
      expect(await diffCheckpoints(double, other, { atol: 0 })).toMatchObject([
        { kind: 'values', maxAbs: expect.closeTo(1e-12, 14) },
      ]);
      expect(await diffCheckpoints(double, other)).toMatchObject([{ kind: 'dtype' }]);
    }
  });
});

describe('verifyCheckpoint', () => {
  it('finds nothing wrong with a file of the Python package', async () => {
    expect(await verifyCheckpoint(SOURCE.pathname, { deep: true })).toEqual({ findings: [], files: 1, tensors: 11 });
  });

  it('lists the faults of all shards', async () => {
    await single('a.safetensors', Buffer.from('short'));
    await single('b.safetensors', withHeader('{'));
    await single(
      'model.safetensors.index.json',
      Buffer.from('{"weight_map":{"a":"a.safetensors","b":"b.safetensors","c":"c.safetensors"}}'),
    );
    const { findings } = await verifyCheckpoint(folder);
    expect(findings.map(({ code }) => code).sort()).toEqual([
      'HEADER_TOO_SMALL',
      'INVALID_HEADER_DESERIALIZATION',
      'MISSING_SHARD',
    ]);
    expect(findings.every(({ severity }) => severity === 'error')).toBe(true);
  });

  it('an index without metadata is a fault: transformers asks it for that', async () => {
    await copyFile(SOURCE, join(folder, 'x.safetensors'));
    const names = [...(await openCheckpoint(SOURCE.pathname)).tensors.keys()];
    const weightMap = Object.fromEntries(names.map((name) => [name, 'x.safetensors']));
    await single('model.safetensors.index.json', Buffer.from(JSON.stringify({ weight_map: weightMap })));
    const { findings, tensors } = await verifyCheckpoint(folder);
    expect([findings, tensors]).toMatchObject([[{ severity: 'error', code: 'INDEX_INVALID' }], 11]);
  });

  it('deep: finds what is not finite in floats of every size', async () => {
    const bytes = new Uint8Array(Float64Array.of(1, Number.NaN).buffer);
    const path = await single(
      'model.safetensors',
      safetensorsBytes([
        { name: 'double', dtype: 'F64', shape: [2], bytes },
        { name: 'small', dtype: 'F8_E4M3', shape: [2], bytes: Uint8Array.of(0x7f, 0) },
      ]),
    );
    const { findings } = await verifyCheckpoint(path, { deep: true });
    expect(findings.map(({ code, tensor }) => [code, tensor])).toEqual([
      ['NON_FINITE', 'double'],
      ['NON_FINITE', 'small'],
    ]);
  });

  it('deep: compares with the checksum that is the name of a blob, and counts what is not finite', async () => {
    const content = safetensorsBytes([
      { name: 'a', dtype: 'F32', shape: [3], bytes: floats(1, Number.NaN, Number.NEGATIVE_INFINITY) },
    ]);
    const right = await single(createHash('sha256').update(content).digest('hex'), content);
    expect((await verifyCheckpoint(right, { deep: true })).findings).toMatchObject([
      { severity: 'warning', code: 'NON_FINITE', message: expect.stringContaining('2 values') },
    ]);
    const wrong = await single('0'.repeat(64), content);
    expect((await verifyCheckpoint(wrong, { deep: true })).findings[0]).toMatchObject({
      severity: 'error',
      code: 'CHECKSUM_MISMATCH',
    });
    expect((await verifyCheckpoint(wrong)).findings).toEqual([]);
  });

  it('says which data no reader can use in place', async () => {
    const path = await single('a.safetensors', safetensorsBytes([
      { name: 'byte', dtype: 'U8', shape: [1], bytes: Uint8Array.of(1) }, { name: 'float', dtype: 'F32', shape: [1], bytes: floats(1) },
    ])); // prettier-ignore
    expect((await verifyCheckpoint(path)).findings).toMatchObject([{ code: 'UNALIGNED', tensor: 'float' }]);
  });
});

describe('openForRepair', () => {
  const u8 = (begin: number, end: number) => `{"dtype":"U8","shape":[${end - begin}],"data_offsets":[${begin},${end}]}`;

  it.each([
    ['trailing bytes', withHeader(`{"a":${u8(0, 2)}}`, Buffer.from('okjunk'))],
    ['a gap', withHeader(`{"a":${u8(2, 4)}}`, Buffer.from('..ok'))],
    ['white space first', withHeader(` {"a":${u8(0, 2)}}`, Buffer.from('ok'))],
    ['a key twice', withHeader(`{"a":${u8(0, 1)},"a":${u8(0, 2)}}`, Buffer.from('ok'))],
  ])('%s', async (_, content) => {
    const source = await openForRepair(await single('model.safetensors', content));
    const out = join(folder, 'out');
    await writeCheckpoint({ source, shards: nameShards([['a']]), tensors: unchanged(source) }, out);
    expect((await verifyCheckpoint(out)).findings).toEqual([]);
    const { tensors } = await hashCheckpoint(await openCheckpoint(out));
    expect(tensors.get('a')).toBe(createHash('sha256').update('ok').digest('hex'));
  });

  it('an index that does not fit', async () => {
    await mkdir(join(folder, 'in'));
    await copyFile(SOURCE, join(folder, 'in/x.safetensors'));
    await writeFile(join(folder, 'in/model.safetensors.index.json'), '{"weight_map":{"nothing":"x.safetensors"}}');
    await expect(openCheckpoint(join(folder, 'in'))).rejects.toMatchObject({ code: 'INDEX_MISMATCH' });
    const { tensors, warnings } = await openForRepair(join(folder, 'in'));
    expect(tensors.size).toBe(11);
    // It may be lost, or of another model.
    expect(warnings).toMatchObject([{ code: 'TENSOR_IN_NO_SHARD', message: expect.stringContaining('"nothing"') }]);
  });

  it.each([
    ['cut off', withHeader(`{"a":${u8(0, 9)}}`, Buffer.from('ok'))],
    ['overlapping', withHeader(`{"a":${u8(0, 2)},"b":${u8(1, 3)}}`, Buffer.from('abc'))],
    [
      'larger than numbers are safe',
      withHeader('{"a":{"dtype":"U8","shape":[9007199254740993,0],"data_offsets":[0,0]}}'),
    ],
    ['of the wrong size', withHeader('{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,2]}}', Buffer.from('ok'))],
  ])('not where a tensor is %s', async (_, content) => {
    const path = await single('model.safetensors', content);
    await expect(openForRepair(path)).rejects.toMatchObject({ code: 'TENSOR_INVALID_INFO' });
  });
});

describe('moduleTree', () => {
  it('takes names that have a million dots', () => {
    let node = moduleTree(new Map([['.'.repeat(1e6), { dtype: 'F32', shape: [2] }]]));
    expect(node.parameters).toBe(2);
    for (let [below] = node.children; below !== undefined; [below] = node.children) node = below;
    expect([node.path.length, node.children]).toEqual([1e6, []]);
  });

  it('adds up at every level', () => {
    const tree = moduleTree(
      new Map([
        ['a.x.weight', { dtype: 'F16', shape: [2, 3] }],
        ['a.x.bias', { dtype: 'F32', shape: [2] }],
        ['b', { dtype: 'F32', shape: [] }],
      ]),
    );
    expect(tree).toMatchObject({ path: '', tensors: 3, parameters: 9, bytes: 24 });
    expect(tree.children.map(({ path, parameters, bytes }) => [path, parameters, bytes])).toEqual([['a', 8, 20], ['b', 1, 4]]); // prettier-ignore
    expect([...(tree.children[0]?.dtypes ?? [])]).toEqual([['F16', 6], ['F32', 2]]); // prettier-ignore
    expect(tree.children[0]?.children[0]?.children.map(({ path }) => path)).toEqual(['a.x.weight', 'a.x.bias']);
  });
});
