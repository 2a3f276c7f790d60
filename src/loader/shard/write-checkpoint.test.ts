import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { safetensorsBytes } from '../../../test/loader/safetensors-bytes.js';
import { tensorBytes } from '../../tensor/tensor-info.js';
import type { Checkpoint } from '../checkpoint/checkpoint.js';
import { openCheckpoint } from '../open-checkpoint.js';
import { unsharedMetadata } from './planned-shard.js';
import { nameShards, splitByDevice, splitBySize, type PlannedShard } from './shard-plan.js';
import { writeCheckpoint } from './write-checkpoint.js';

interface Recorded {
  readonly groups: readonly { sizes: number[]; limit: number; files: Record<string, string[]> }[];
  readonly files: Record<string, Record<string, string>>;
}

const fixture = (name: string) => new URL(`../../../test/fixtures/loader/${name}`, import.meta.url);
const recorded = JSON.parse(readFileSync(fixture('splits.json'), 'utf8')) as Recorded;

let folder: string;
let out: string;
let source: Checkpoint;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'write-checkpoint-'));
  out = join(folder, 'out');
  await mkdir(join(folder, 'in'));
  await copyFile(fixture('split-source.safetensors'), join(folder, 'in/model.safetensors'));
  await writeFile(join(folder, 'in/config.json'), '{"model_type":"x"}');
  source = await openCheckpoint(join(folder, 'in'));
});

afterEach(() => rm(folder, { recursive: true }));

const unchanged = (checkpoint: Checkpoint) =>
  new Map([...checkpoint.tensors].map(([name, stored]) => [name, { source: stored, dtype: stored.dtype }]));
const sizes = (checkpoint: Checkpoint) =>
  new Map([...checkpoint.tensors].map(([name, info]) => [name, tensorBytes(info)]));
const job = (shards: readonly PlannedShard[]) => ({ source, shards, tensors: unchanged(source) });
const sha256 = async (path: string) =>
  createHash('sha256')
    .update(await readFile(path))
    .digest('hex');

describe('splitBySize', () => {
  it('groups as huggingface_hub does', () => {
    for (const { sizes: list, limit, files } of recorded.groups) {
      const groups = splitBySize(new Map(list.map((bytes, i) => [`t${i}`, bytes])), limit);
      expect(Object.fromEntries(nameShards(groups).map(({ file, tensors }) => [file, tensors]))).toEqual(files);
    }
  });

  it('puts every tensor into one file, of its own device, within the limit unless it is alone', () => {
    const list = fc.array(fc.record({ bytes: fc.nat(100), device: fc.constantFrom('0', '1', 'cpu') }), {
      maxLength: 40,
    });
    fc.assert(
      fc.property(list, fc.integer({ min: 1, max: 150 }), (tensors, limit) => {
        const byName = new Map(tensors.map((tensor, i) => [`t${i}`, tensor]));
        const bytesOf = new Map([...byName].map(([name, { bytes }]) => [name, bytes]));
        const shards = splitByDevice(bytesOf, (name) => byName.get(name)?.device ?? '', limit);
        expect(shards.flatMap((shard) => shard.tensors).toSorted()).toEqual([...byName.keys()].toSorted());
        for (const { tensors: names, device } of shards) {
          expect(new Set(names.map((name) => byName.get(name)?.device))).toEqual(new Set([device]));
          const bytes = names.reduce((sum, name) => sum + (bytesOf.get(name) ?? 0), 0);
          expect(names.length === 1 || bytes <= limit).toBe(true);
        }
      }),
    );
  });
});

describe('writeCheckpoint', () => {
  it.each([
    ['2KB', 2000],
    ['1000KB', 1_000_000],
  ])('writes the files that huggingface_hub writes for %s, byte for byte', async (label, limit) => {
    const shards = nameShards(splitBySize(sizes(source), limit));
    await writeCheckpoint(job(shards), out, { alignBytes: 8 });
    const written = (await readdir(out)).filter((name) => name !== 'config.json').sort();
    const hashes = await Promise.all(written.map((name) => sha256(join(out, name))));
    expect(Object.fromEntries(written.map((name, i) => [name, hashes[i]]))).toEqual(recorded.files[label]);
  });

  it('writes what opens without a warning and has the same tensors, split by device', async () => {
    const shards = splitByDevice(sizes(source), (name) => (name.startsWith('layer.1') ? '0' : 'cpu'), 4000);
    const written = await writeCheckpoint(job(shards), out);
    const opened = await openCheckpoint(out);
    expect(opened.warnings).toEqual([]);
    expect(opened.config).toEqual({ model_type: 'x' });
    expect(new Set(opened.tensors.keys())).toEqual(new Set(source.tensors.keys()));
    for (const [i, { device }] of written.shards.entries())
      expect(opened.files[i]?.metadata.get('device')).toBe(device);
    for (const [name, { file, begin, end }] of opened.tensors) {
      const before = source.tensors.get(name);
      const bytes = (await readFile(file)).subarray(begin, end);
      expect(Buffer.compare(bytes, (await readFile(before?.file ?? '')).subarray(before?.begin, before?.end))).toBe(0);
    }
  });

  it('keeps of the metadata what all files of the source say, but for the device', async () => {
    const said = (part: string) =>
      new Map([
        ['licence', 'CC0 \u2028"'],
        ['__proto__', 'p'],
        ['part', part],
        ['device', 'cpu'],
      ]);
    const [own] = source.files;
    if (own === undefined) throw new RangeError('no file');
    const files = ['a', 'b'].map((part) => ({ ...own, metadata: said(part) }));
    expect(unsharedMetadata(files)).toEqual(['part']);
    const shards = nameShards(splitBySize(sizes(source), 4000));
    await writeCheckpoint({ ...job(shards), source: { ...source, files } }, out);
    const opened = await openCheckpoint(out);
    expect(opened.files.length).toBeGreaterThan(1);
    for (const { metadata } of opened.files) {
      expect(Object.entries(Object.fromEntries(metadata))).toEqual([
        ['__proto__', 'p'],
        ['format', 'pt'],
        ['licence', 'CC0 \u2028"'],
      ]);
    }
  });

  it('writes nothing through links that the output folder has, and copies no index of other files', async () => {
    const from = join(folder, 'in');
    await writeFile(join(from, 'vocab.json'), '{}', { mode: 0o444 });
    await writeFile(join(from, 'modeling_x.py'), 'pass');
    await writeFile(join(from, 'model.safetensors.index.fp16.json'), '{}');
    await mkdir(out);
    await symlink('../in/config.json', join(out, 'config.json'));
    await writeFile(join(folder, 'precious'), 'precious');
    await symlink('../precious', join(out, 'vocab.json'));
    const shards = nameShards([[...source.tensors.keys()]]);
    await writeCheckpoint({ ...job(shards), configDtype: 'float16' }, out);
    expect(await readFile(join(from, 'config.json'), 'utf8')).toBe('{"model_type":"x"}');
    expect(JSON.parse(await readFile(join(out, 'config.json'), 'utf8'))).toEqual({ model_type: 'x', dtype: 'float16' });
    expect(await readFile(join(folder, 'precious'), 'utf8')).toBe('precious');
    expect((await readdir(out)).sort()).toEqual(['config.json', 'model.safetensors', 'modeling_x.py', 'vocab.json']);
  });

  it('names a small file of the source that cannot be read, and does not leave it out', async () => {
    await symlink('nowhere', join(folder, 'in/vocab.json'));
    const writing = writeCheckpoint(job(nameShards([[...source.tensors.keys()]])), out);
    await expect(writing).rejects.toMatchObject({ code: 'IO_ERROR', details: { file: join(folder, 'in/vocab.json') } });
  });

  it('keeps the finished shards of a job that was stopped, and ends with the same bytes', async () => {
    const shards = nameShards(splitBySize(sizes(source), 500));
    await writeCheckpoint(job(shards), out);
    const undisturbed = new Map<string, string>();
    for (const name of await readdir(out)) undisturbed.set(name, await sha256(join(out, name)));
    await rm(out, { recursive: true });

    const controller = new AbortController();
    const onProgress = () => {
      if (readdirSync(out).some((name) => name.startsWith('model-'))) controller.abort(new Error('stop'));
    };
    await expect(writeCheckpoint(job(shards), out, { signal: controller.signal, onProgress })).rejects.toThrow('stop');
    expect(await readdir(out)).not.toContain('model.safetensors.index.json');

    const { shards: result } = await writeCheckpoint(job(shards), out);
    expect(result.some(({ resumed }) => resumed)).toBe(true);
    expect(result.every(({ resumed }) => resumed)).toBe(false);
    expect((await readdir(out)).sort()).toEqual([...undisturbed.keys()].sort());
    for (const [name, hash] of undisturbed) expect(await sha256(join(out, name))).toBe(hash);
  });

  it('counts values that have become infinite in the shards of a run that was stopped, too', async () => {
    const bytes = new Uint8Array(Float32Array.from({ length: 64 }, () => 1e6).buffer);
    const names = ['a', 'b', 'c', 'd', 'e', 'f'];
    const path = join(folder, 'large.safetensors');
    await writeFile(path, safetensorsBytes(names.map((name) => ({ name, dtype: 'F32', shape: [64], bytes }))));
    const large = await openCheckpoint(path);
    const tensors = new Map(
      [...large.tensors].map(([name, stored]) => [name, { source: stored, dtype: 'F16' as const }]),
    );
    const halves = { source: large, shards: nameShards(names.map((name) => [name])), tensors };
    const controller = new AbortController();
    const onProgress = () => {
      if (readdirSync(out).some((name) => name.startsWith('model-'))) controller.abort(new Error('stop'));
    };
    await expect(writeCheckpoint(halves, out, { signal: controller.signal, onProgress })).rejects.toThrow('stop');
    const { shards, overflowedValues } = await writeCheckpoint(halves, out);
    expect([shards.some(({ resumed }) => resumed), overflowedValues]).toEqual([true, 6 * 64]);
  });

  it('writes a finished shard again whose content is no longer what was written', async () => {
    const shards = nameShards(splitBySize(sizes(source), 500));
    await writeCheckpoint(job(shards), out);
    const path = join(out, shards[0]?.file ?? '');
    const before = await readFile(path);
    await rm(out, { recursive: true });
    const controller = new AbortController();
    const onProgress = () => {
      if (existsSync(path)) controller.abort(new Error('stop'));
    };
    const stopped = writeCheckpoint(job(shards), out, { signal: controller.signal, onProgress });
    await expect(stopped).rejects.toThrow('stop');

    const { mtime, atime } = await stat(path);
    const damaged = Buffer.from(before);
    damaged[damaged.length - 1] = (damaged.at(-1) ?? 0) ^ 1;
    await writeFile(path, damaged);
    await utimes(path, atime, mtime);
    const { shards: result } = await writeCheckpoint(job(shards), out);
    expect(result[0]?.resumed).toBe(false);
    expect(Buffer.compare(await readFile(path), before)).toBe(0);
  });

  it.runIf(process.platform !== 'win32')(
    'lets nobody else write into the folder meanwhile, and leaves nothing there where it is refused',
    async () => {
      const shards = nameShards(splitBySize(sizes(source), 500));
      const toHalf = {
        ...job(shards),
        tensors: new Map(
          [...unchanged(source)].map(([name, { source: stored }]) => [
            name,
            { source: stored, dtype: stored.dtype === 'F32' ? ('F16' as const) : stored.dtype },
          ]),
        ),
      };
      const results = await Promise.allSettled([writeCheckpoint(job(shards), out), writeCheckpoint(toHalf, out)]);
      expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      for (const result of results)
        if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'OUTPUT_BUSY' });
      const listed = await readdir(out);
      expect(listed).not.toContain('.blip2-shard-job.json');
      await expect(writeCheckpoint(job(shards), out)).rejects.toMatchObject({ code: 'OUTPUT_EXISTS' });
      expect(await readdir(out)).toEqual(listed);
    },
  );

  it('refuses shards that would be no checkpoint, before it writes', async () => {
    const names = [...source.tensors.keys()];
    const [first = ''] = names;
    const file = (name: string, tensors: readonly string[] = names) => ({ file: name, tensors });
    for (const shards of [
      [file('a.safetensors'), file('b.safetensors', [first])],
      [file('a.safetensors', [first]), file('a.safetensors', names.slice(1))],
      [file('../a.safetensors')],
      [file('a.bin')],
      [file('a.safetensors', [...names, 'nothing'])],
    ])
      await expect(writeCheckpoint(job(shards), out)).rejects.toMatchObject({ code: 'OPTION_INVALID' });
    for (const alignBytes of [0, -8, 1.5, Number.NaN])
      await expect(writeCheckpoint(job([file('model.safetensors')]), out, { alignBytes })).rejects.toMatchObject({
        code: 'OPTION_INVALID',
      });
    for (const limit of [0, -1, Number.NaN])
      expect(() => splitBySize(sizes(source), limit)).toThrow(expect.objectContaining({ code: 'OPTION_INVALID' }));
    expect(await readdir(folder)).toEqual(['in']);
  });

  it('counts the tensors of its shards, whatever they are called', async () => {
    const [a = '', b = ''] = source.tensors.keys();
    const shards = [
      { file: 'a.safetensors', tensors: [a] },
      { file: 'b.safetensors', tensors: [b] },
    ];
    expect((await writeCheckpoint(job(shards), out)).index).toBe('model.safetensors.index.json');
    const { tensors, warnings } = await openCheckpoint(out);
    expect([[...tensors.keys()], warnings]).toEqual([[a, b], []]);
  });

  it('says what it would do, and does nothing', async () => {
    const shards = nameShards(splitBySize(sizes(source), 2000));
    const { shards: planned, index } = await writeCheckpoint(job(shards), out, { dryRun: true });
    expect(planned).toHaveLength(shards.length);
    expect(index).toBe('model.safetensors.index.json');
    expect(await readdir(folder)).toEqual(['in']);
  });

  it('never writes over its own input, under any name, nor over weights of another job', async () => {
    const shards = nameShards([[...source.tensors.keys()]]);
    await expect(writeCheckpoint(job(shards), join(folder, 'in'))).rejects.toMatchObject({
      code: 'WOULD_OVERWRITE_INPUT',
    });
    await symlink(join(folder, 'in'), join(folder, 'link'));
    await expect(writeCheckpoint(job(shards), join(folder, 'link'))).rejects.toMatchObject({
      code: 'WOULD_OVERWRITE_INPUT',
    });
    await mkdir(out);
    await writeFile(join(out, 'model.safetensors'), 'precious');
    await expect(writeCheckpoint(job(shards), out)).rejects.toMatchObject({ code: 'OUTPUT_EXISTS' });
    expect(await readFile(join(out, 'model.safetensors'), 'utf8')).toBe('precious');
  });
});
