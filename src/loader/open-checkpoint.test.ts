/** The rows about indexes and folders in the list of malformed input, one test each, and what opening gives. */
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { safetensorsBytes, withHeader } from '../../test/loader/safetensors-bytes.js';
import { pickWeights } from './checkpoint/pick-weights.js';
import { openForRepair } from './check/repair-checkpoint.js';
import { SafetensorsError } from './format/safetensors-error.js';
import { openCheckpoint } from './open-checkpoint.js';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'open-checkpoint-'));
});

afterEach(() => rm(folder, { recursive: true }));

const shardBytes = (...names: string[]) =>
  safetensorsBytes(names.map((name) => ({ name, dtype: 'U8', shape: [4], bytes: Buffer.from('data') })));

const weightMap = { a: 'model-00001-of-00002.safetensors', b: 'model-00002-of-00002.safetensors' };
const metadata = { total_size: 8 };

async function write(files: Record<string, string | Uint8Array>): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    const path = join(folder, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, content);
  }
}

/** Two shards with a tensor each, and this index over them. */
async function writeIndexed(index: unknown): Promise<void> {
  await write({
    [weightMap.a]: shardBytes('a'),
    [weightMap.b]: shardBytes('b'),
    'model.safetensors.index.json': typeof index === 'string' ? index : JSON.stringify(index),
  });
}

const warnings = async () => (await openCheckpoint(folder)).warnings.map(({ code }) => code);
const refused = (fields: object) =>
  expect(openCheckpoint(folder)).rejects.toMatchObject({ name: 'SafetensorsError', ...fields });

describe('openCheckpoint', () => {
  it('opens a single file, by folder and by path', async () => {
    await write({ 'model.safetensors': shardBytes('a', 'b'), 'config.json': '{"model_type":"x"}' });
    for (const where of [folder, join(folder, 'model.safetensors')]) {
      const checkpoint = await openCheckpoint(where);
      expect(checkpoint).toMatchObject({ folder, config: { model_type: 'x' }, warnings: [] });
      expect([...checkpoint.tensors.keys()]).toEqual(['a', 'b']);
      expect(checkpoint.tensors.get('b')?.file).toBe(join(folder, 'model.safetensors'));
    }
  });

  it('reads a configuration with the numbers that Python writes', async () => {
    await write({ 'model.safetensors': shardBytes('a'), 'config.json': '{"time_step_limit": [0.0, Infinity]}' });
    expect((await openCheckpoint(folder)).config).toEqual({ time_step_limit: [0, Number.POSITIVE_INFINITY] });
  });

  it('opens shards by their index, by folder and by path', async () => {
    await writeIndexed({ metadata, weight_map: weightMap });
    for (const where of [folder, join(folder, 'model.safetensors.index.json')]) {
      const checkpoint = await openCheckpoint(where);
      expect(checkpoint).toMatchObject({ config: null, warnings: [] });
      expect(checkpoint.files.map(({ name }) => name)).toEqual(Object.values(weightMap));
      expect([...checkpoint.tensors.keys()]).toEqual(['a', 'b']);
    }
  });

  it('opens the only safetensors file of a folder, whatever its name', async () => {
    await write({ 'model.fp16.safetensors': shardBytes('a') });
    expect((await openCheckpoint(folder)).tensors.size).toBe(1);
  });

  it('opens a snapshot of the hub cache and names the files behind its links', async () => {
    await write({ 'blobs/0a1b': shardBytes('a'), 'blobs/2c3d': '{}' });
    await mkdir(join(folder, 'snapshots/x'), { recursive: true });
    await symlink('../../blobs/0a1b', join(folder, 'snapshots/x/model.safetensors'));
    await symlink('../../blobs/2c3d', join(folder, 'snapshots/x/config.json'));
    const checkpoint = await openCheckpoint(join(folder, 'snapshots/x'));
    expect(checkpoint.config).toEqual({});
    expect(checkpoint.files[0]).toMatchObject({ name: 'model.safetensors', path: join(folder, 'blobs/0a1b') });
    expect(checkpoint.tensors.get('a')?.file).toBe(join(folder, 'blobs/0a1b'));
  });

  it('keeps names that are not safe as object keys', async () => {
    await writeIndexed(`{"metadata":{"total_size":8},"weight_map":{"__proto__":"x.safetensors","7":"x.safetensors"}}`);
    await write({ 'x.safetensors': shardBytes('__proto__', '7') });
    expect([...(await openCheckpoint(join(folder, 'model.safetensors.index.json'))).tensors.keys()]).toEqual([
      '__proto__',
      '7',
    ]);
  });
});

describe('what is refused', () => {
  it('nothing there', async () => {
    await expect(openCheckpoint(join(folder, 'no'))).rejects.toMatchObject({ code: 'CHECKPOINT_NOT_FOUND' });
    await refused({ code: 'CHECKPOINT_NOT_FOUND' });
  });

  it('PyTorch files only, with a hint', async () => {
    await write({ 'pytorch_model.bin': 'x' });
    await refused({ code: 'CHECKPOINT_NOT_FOUND', hint: expect.stringContaining('PyTorch') });
  });

  it.each([
    [
      'a pipeline of diffusers',
      ['model_index.json', 'vae/config.json'],
      /^It is a pipeline of diffusers.* folders unet:/,
    ],
    ['a trainer', ['optimizer.pt'], /^There are weights in its folders unet:/],
  ])('%s, whose weights are in a folder below', async (_, names, hint) => {
    await write(Object.fromEntries(names.map((name) => [name, '{}'])));
    await write({ 'unet/diffusion_pytorch_model.safetensors': shardBytes('a') });
    await refused({ code: 'CHECKPOINT_NOT_FOUND', hint: expect.stringMatching(hint) });
    expect([...(await openCheckpoint(join(folder, 'unet'))).tensors.keys()]).toEqual(['a']);
  });

  it.each([
    ['model-Q4_K_M.gguf', 'GGUF'],
    ['onnx/model.onnx', 'other programs'],
    ['tf_model.h5', 'other programs'],
    ['original/consolidated.00.pth', 'PyTorch'],
    ['pytorch_model_fsdp_0/__0_0.distcp', 'accelerate merge-weights'],
    ['zero_to_fp32.py', 'zero_to_fp32.py . OUT'],
    ['README.md', 'no weights: download'],
  ])('%s and config.json only, with a hint', async (name, hint) => {
    await write({ 'config.json': '{}', [name]: 'x' });
    await refused({ code: 'CHECKPOINT_NOT_FOUND', hint: expect.stringContaining(hint) });
  });

  it.each(['[1]', '"x"', 'null', '7'])('a config.json that is %s', async (text) => {
    await write({ 'model.safetensors': shardBytes('a'), 'config.json': text });
    await expect(openCheckpoint(folder)).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('no object'),
    });
  });

  it('several candidates', async () => {
    await write({ 'x.safetensors': shardBytes('a'), 'y.safetensors': shardBytes('a') });
    await refused({ code: 'AMBIGUOUS_CHECKPOINT' });
  });

  it('a config.json that is not JSON', async () => {
    await write({ 'model.safetensors': shardBytes('a'), 'config.json': '{' });
    await expect(openCheckpoint(folder)).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });

  it.each([
    ['I2 no weight_map', '{"metadata":{}}', 'INDEX_INVALID'],
    ['I2 empty weight_map', '{"metadata":{"total_size":0},"weight_map":{}}', 'INDEX_INVALID'],
    ['I3 weight_map a list', '{"weight_map":[]}', 'INDEX_INVALID'],
    ['I3 weight_map value a number', '{"weight_map":{"a":1}}', 'INDEX_INVALID'],
    ['I12 duplicate key', `{"weight_map":{"a":"${weightMap.a}","\\u0061":"${weightMap.a}"}}`, 'DUPLICATE_KEY'],
    ['I12 weight_map twice', '{"weight_map":{},"weight_map":{}}', 'DUPLICATE_KEY'],
    ['I13 empty', '', 'INDEX_INVALID'],
    ['I13 open brace', '{', 'INDEX_INVALID'],
    ['I13 byte order mark', '\ufeff{"weight_map":{}}', 'INDEX_INVALID'],
    ['I13 a list', '[]', 'INDEX_INVALID'],
    ['I14 another extension', '{"weight_map":{"a":"pytorch_model.bin"}}', 'UNSAFE_SHARD_PATH'],
    ...[
      '../x.safetensors', 'x/../../y.safetensors', String.raw`..\\x.safetensors`, '/etc/x.safetensors', String.raw`\\\\host\\x.safetensors`,
      'C:/x.safetensors', 'c:x.safetensors', 'file:///x.safetensors', String.raw`x\u0000.safetensors`, String.raw`\u001b[2J.safetensors`, `${'x'.repeat(1100)}.safetensors`, '',
    ].map((path) => [`I10 path ${path}`, `{"weight_map":{"a":"${path}"}}`, 'UNSAFE_SHARD_PATH']),
  ])('%s', async (_, index, code) => {
    await writeIndexed(index);
    await refused({ code, file: join(folder, 'model.safetensors.index.json') });
  }); // prettier-ignore

  it('names of megabytes and with control characters, in messages that have neither', async () => {
    const name = `\u001b[2J\u009b2J${'x'.repeat(1_000_000)}`;
    const key = JSON.stringify(name);
    const headers = [
      `{${key}:{"dtype":"U8","shape":[4],"data_offsets":[0,3]}}`,
      `{${key}:{"dtype":"U8","shape":[4]}}`,
      `{${key}:{"dtype":"U8","shape":[0],"data_offsets":[0,0]},${key}:{}}`,
      `{"a":{"dtype":${key},"shape":[4],"data_offsets":[0,4]}}`,
      `{"__metadata__":{${key}:1}}`,
      `{"__metadata__":{${key}:"","a":"",${key}:""}}`,
    ];
    const indexes = [
      `{"weight_map":{${key}:"x.safetensors"}}`,
      `{"weight_map":{${key}:1}}`,
      `{"weight_map":{${key}:"x.safetensors",${key}:"x.safetensors"}}`,
      `{"weight_map":{"a":${key}}}`,
    ];
    const messageOf = (opening: Promise<unknown>) =>
      opening.then(
        () => 'opened',
        (error: unknown) => (error instanceof SafetensorsError ? error.message : String(error)),
      );
    await write({ 'x.safetensors': shardBytes('a') });
    for (const [i, content] of [...headers, ...indexes].entries()) {
      const path = join(folder, i < headers.length ? `${i}.safetensors` : `${i}.safetensors.index.json`);
      await writeFile(path, i < headers.length ? withHeader(content) : content);
      for (const message of [await messageOf(openCheckpoint(path)), await messageOf(openForRepair(path))]) {
        expect(message.length).toBeLessThan(1000);
        expect(message).not.toMatch(/\p{Cc}/u);
      }
    }
  });

  it('I4 missing shards, all at once', async () => {
    await writeIndexed({ metadata, weight_map: { ...weightMap, c: 'c.safetensors', d: 'd.safetensors' } });
    await refused({ code: 'MISSING_SHARD', details: { missing: ['c.safetensors', 'd.safetensors'] } });
  });

  it('I5 a tensor that its shard does not have', async () => {
    await writeIndexed({ metadata, weight_map: { ...weightMap, c: weightMap.a } });
    await refused({ code: 'INDEX_MISMATCH', tensor: 'c', message: expect.stringContaining('none of the shards') });
  });

  it('I7 a tensor that is in another shard', async () => {
    await writeIndexed({ metadata, weight_map: { a: weightMap.b, b: weightMap.b } });
    await refused({ code: 'INDEX_MISMATCH', tensor: 'a' });
    await writeIndexed({ metadata, weight_map: { a: weightMap.b, b: weightMap.a } });
    await refused({ code: 'INDEX_MISMATCH', message: expect.stringContaining(`it is in ${weightMap.a}`) });
  });

  it('a broken shard, by its name', async () => {
    await writeIndexed({ metadata, weight_map: weightMap });
    await write({ [weightMap.b]: 'short' });
    await refused({ code: 'HEADER_TOO_SMALL', file: join(folder, weightMap.b) });
  });
});

describe('what is accepted with a warning', () => {
  it('I1 no metadata', async () => {
    await writeIndexed({ weight_map: weightMap });
    expect(await warnings()).toEqual(['INDEX_WITHOUT_METADATA']);
  });

  it('I6 a tensor that the index does not list', async () => {
    await writeIndexed({ metadata, weight_map: weightMap });
    await write({ [weightMap.a]: shardBytes('a', 'stray') });
    const checkpoint = await openCheckpoint(folder);
    expect([checkpoint.tensors.has('stray'), [...(checkpoint.unlisted ?? [])]]).toMatchObject([
      false,
      [['stray', { dtype: 'U8' }]],
    ]);
    expect(checkpoint.warnings).toEqual([
      { code: 'TENSOR_NOT_IN_INDEX', message: expect.stringContaining('transformers 5 loads it') },
    ]);
  });

  it('I8 a tensor in two shards', async () => {
    await writeIndexed({ metadata, weight_map: weightMap });
    await write({ [weightMap.a]: shardBytes('a', 'b') });
    const checkpoint = await openCheckpoint(folder);
    // Shards are read in the order of their names, each whole: the last has the tensor.
    expect(checkpoint.warnings).toEqual([
      {
        code: 'TENSOR_IN_TWO_SHARDS',
        message: expect.stringContaining('transformers 5 takes what stands in the last'),
      },
    ]);
    expect(checkpoint.tensors.get('b')?.file).toBe(join(folder, weightMap.b));
  });

  it.each([9, '14.0'])('I9 total_size %s', async (size) => {
    await writeIndexed(`{"metadata":{"total_size":${size}},"weight_map":${JSON.stringify(weightMap)}}`);
    const { warnings: found } = await openCheckpoint(folder);
    expect(found).toMatchObject([{ code: 'TOTAL_SIZE_WRONG', message: expect.stringMatching(`${size}.*8`) }]);
  });

  it('I15 a single file and an index: the file', async () => {
    await writeIndexed({ metadata, weight_map: weightMap });
    await write({ 'model.safetensors': shardBytes('c') });
    expect(await warnings()).toEqual(['INDEX_IGNORED']);
    expect([...(await openCheckpoint(folder)).tensors.keys()]).toEqual(['c']);
  });

  it('I16 a gap in the numbers of the shards', async () => {
    const [first, third] = ['model-00001-of-00003.safetensors', 'model-00003-of-00003.safetensors'];
    await writeIndexed({ metadata, weight_map: { a: first, b: third } });
    await write({ [first]: shardBytes('a'), [third]: shardBytes('b') });
    expect(await warnings()).toEqual(['SHARD_NUMBERING_GAP']);
  });

  it('shards without an index are no checkpoint, one of them least of all', async () => {
    await write({ [weightMap.b]: shardBytes('b'), 'config.json': '{}' });
    await refused({ code: 'CHECKPOINT_NOT_FOUND', hint: expect.stringContaining('the other shards') });
    const { tensors, warnings: found } = await openCheckpoint(join(folder, weightMap.b));
    expect([...tensors.keys()]).toEqual(['b']);
    expect(found).toMatchObject([{ code: 'SHARD_NUMBERING_GAP', message: expect.stringContaining('shard 2 of 2') }]);
    await write({ [weightMap.a]: shardBytes('a') });
    await refused({ code: 'CHECKPOINT_NOT_FOUND', hint: expect.stringContaining('repair') });
    const repaired = await openForRepair(folder);
    expect([[...repaired.tensors.keys()], repaired.warnings]).toEqual([['a', 'b'], []]);
  });

  it('one numbered shard is all where it is one of one', async () => {
    await write({ 'model-00001-of-00001.safetensors': shardBytes('a') });
    expect(await warnings()).toEqual([]);
  });

  it('files below other folders are no candidates', () => {
    const names = [
      'onnx/model.safetensors',
      'text/model.safetensors.index.json',
      'model.fp16.safetensors',
      'config.json',
    ];
    expect(pickWeights(names, 'x')).toMatchObject({ name: 'model.fp16.safetensors', isIndex: false });
  });

  // As diffusers and transformers do where no `variant` is asked for.
  it.each([
    [['x.fp16.safetensors', 'x.safetensors', 'x.non_ema.safetensors'], 'x.safetensors'],
    [['x.safetensors.index.fp16.json', 'x.safetensors.index.json'], 'x.safetensors.index.json'],
    [['x.y.fp16.safetensors', 'x.y.safetensors'], 'x.y.safetensors'],
    [['x.fp16.safetensors'], 'x.fp16.safetensors'],
  ])('of %j: %s', (names, name) => {
    expect(pickWeights(names, 'x')).toMatchObject({ name });
  });

  it('variants alone are several candidates', () => {
    expect(() => pickWeights(['x.fp16.safetensors', 'x.non_ema.safetensors'], 'x')).toThrow('2 candidates');
  });

  it('white space before the header, and fields that the format does not know', async () => {
    const header = ' {"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0],"x":1}}';
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(header.length));
    await write({ 'model.safetensors': Buffer.concat([length, Buffer.from(header)]) });
    expect(await warnings()).toEqual(['SPECIFICATION_DEVIATION', 'SPECIFICATION_DEVIATION']);
  });
});
