/** Checkpoints as other programs lay them: names, halves of downloads, quantisations of others. */
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openCheckpoint } from '../../src/loader/open-checkpoint.js';
import { COMMIT, HubServer } from '../loader/hub-server.js';
import { safetensorsBytes } from '../loader/safetensors-bytes.js';
import { command } from './command.js';

const shard = (...args: string[]) => command('blip2-shard', args);

let folder: string;
let out: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'foreign-'));
  out = join(folder, 'out');
});

afterEach(() => rm(folder, { recursive: true }));

async function write(files: Readonly<Record<string, string | Uint8Array>>): Promise<string> {
  const where = join(folder, 'in');
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(where, name)), { recursive: true });
    await writeFile(join(where, name), content);
  }
  return where;
}

/** A float32 vector of four for each name. */
const floats = (...names: string[]) =>
  safetensorsBytes(
    names.map((name) => ({
      name,
      dtype: 'F32',
      shape: [4],
      bytes: new Uint8Array(Float32Array.of(1, 2, 3, 4).buffer),
    })),
  );

describe('blip2-shard with names of files and tensors', () => {
  it.each(['adapter_model', 'diffusion_pytorch_model'])('keeps %s, by which alone others find it', async (stem) => {
    const from = await write({ [`${stem}.safetensors`]: floats('a', 'b'), 'adapter_config.json': '{}' });
    expect((await shard('convert', from, out, '--dtype', 'float16', '-q')).stdout).toBe(
      `${join(out, `${stem}.safetensors`)}\n`,
    );
    expect((await readdir(out)).sort()).toEqual(['adapter_config.json', `${stem}.safetensors`]);
    const split = join(folder, 'split');
    expect((await shard('split', from, split, '--max-shard-size', '16B', '-q')).stdout).toBe(
      `${join(split, `${stem}.safetensors.index.json`)}\n`,
    );
    expect((await readdir(split)).filter((name) => name.startsWith(`${stem}-0000`))).toHaveLength(2);
    expect((await openCheckpoint(split)).tensors.size).toBe(2);
    const twice = await shard('split', from, split, '--max-shard-size', '16B');
    expect(twice.stderr).toContain('[OUTPUT_EXISTS]');
  });

  it('takes the variant out of names, so that the copy is found without one', async () => {
    const from = await write({ 'diffusion_pytorch_model.fp16.safetensors': floats('a') });
    expect((await shard('merge', from, out, '-q')).stdout).toBe(
      `${join(out, 'diffusion_pytorch_model.safetensors')}\n`,
    );
  });

  it('gives no tensor the name under which a file keeps its metadata', async () => {
    const from = await write({ 'model.safetensors': floats('a') });
    const { code, stderr } = await shard('rename', from, out, '--prefix', 'a=__metadata__');
    expect(code).toBe(1);
    expect(stderr).toContain('[DUPLICATE_KEY]');
    expect(await readdir(folder)).toEqual(['in']);
  });
});

describe('blip2-shard convert of weights that others have packed', () => {
  it('leaves them their scales and what config.json says of them', async () => {
    const scale = Buffer.from(Float32Array.of(1e-9).buffer);
    const from = await write({
      'model.safetensors': safetensorsBytes([
        { name: 'q.weight', dtype: 'F8_E4M3', shape: [2, 2], bytes: Buffer.from('abcd') },
        { name: 'q.weight_scale_inv', dtype: 'F32', shape: [1, 1], bytes: scale },
        { name: 'norm.weight', dtype: 'F32', shape: [1], bytes: scale },
      ]),
      'config.json': '{"dtype": "float32", "quantization_config": {"quant_method": "fp8", "dtype": "float32"}}',
    });
    const { code, stderr } = await shard('convert', from, out, '--dtype', 'float16');
    expect(code).toBe(0);
    expect(stderr).toContain('note: left as stored, for packed weights are read with them: "q.weight_scale_inv"\n');
    const { tensors, config } = await openCheckpoint(out);
    expect([...tensors].map(([name, { dtype }]) => `${name} ${dtype}`).sort()).toEqual([
      'norm.weight F16',
      'q.weight F8_E4M3',
      'q.weight_scale_inv F32',
    ]);
    // Of float16, 1e-9 is 0, and so would be all weights.
    expect((await shard('diff', from, out, '-q')).stdout).not.toContain('q.weight');
    expect(config).toEqual({ dtype: 'float16', quantization_config: { quant_method: 'fp8', dtype: 'float32' } });
  });
});

it('takes nothing along from a folder that is no model', async () => {
  const beside = { 'notes.txt': 'mine', 'backup.py': 'print()', 'data.json': '[]' };
  const where = await write({ 'weights.safetensors': floats('a'), ...beside });
  const { code } = await shard('convert', join(where, 'weights.safetensors'), out, '--dtype', 'float16');
  expect(code).toBe(0);
  expect(await readdir(out)).toEqual(['model.safetensors']);
  await rm(out, { recursive: true });
  await write({ 'tokenizer.json': '{}' });
  await shard('convert', join(where, 'weights.safetensors'), out, '--dtype', 'float16');
  expect(await readdir(out)).toEqual(expect.arrayContaining(['notes.txt', 'tokenizer.json']));
});

it('what sentence-transformers runs behind a model comes along, as it is', async () => {
  const from = await write({
    'model.safetensors': floats('a'),
    'modules.json': '[]',
    '1_Pooling/config.json': '{}',
    '2_Dense/model.safetensors': floats('linear.weight'),
    'onnx/config.json': '{}',
  });
  expect((await shard('convert', from, out, '--dtype', 'float16')).code).toBe(0);
  const copied = (await readdir(out, { recursive: true })).filter((name) => name.includes('/'));
  expect(copied.sort()).toEqual(['1_Pooling/config.json', '2_Dense/model.safetensors']);
  expect(await readFile(join(out, '2_Dense/model.safetensors'))).toEqual(Buffer.from(floats('linear.weight')));
});

it('blip2-shard merges no half of a checkpoint, and no half is sound', async () => {
  const name = 'model-00001-of-00002.safetensors';
  const from = await write({ [name]: floats('a'), 'config.json': '{}' });
  for (const args of [
    ['merge', from, out],
    ['verify', from],
  ]) {
    const { code, stderr } = await shard(...args);
    expect([code, stderr]).toEqual([2, expect.stringContaining('[CHECKPOINT_NOT_FOUND]')]);
  }
  const { code, stderr } = await shard('merge', join(from, name), out);
  expect([code, stderr]).toEqual([1, expect.stringContaining('[MISSING_SHARD]')]);
  expect((await shard('verify', join(from, name))).stdout).toContain('[SHARD_NUMBERING_GAP]');
  expect(await readdir(folder)).toEqual(['in']);
});

it('every command that reads a checkpoint says what its index leaves out', async () => {
  const from = await write({
    'model-00001-of-00002.safetensors': floats('a', 'b'),
    'model.safetensors.index.json':
      '{"metadata": {"total_size": 16}, "weight_map": {"a": "model-00001-of-00002.safetensors"}}',
  });
  const map = join(folder, 'map.json');
  await writeFile(map, '{"": 0}');
  for (const [name, ...args] of [
    ['blip2-shard', 'hash', from],
    ['blip2-shard', 'diff', from, from],
    ['blip2-shard', 'inspect', from],
    ['blip2-shard', 'split', from, out, '--max-shard-size', '16B', '--dry-run'],
    ['blip2-plan', 'estimate', from],
    ['blip2-plan', 'explain', map, from, '--vram', '1G'],
    ['blip2-plan', 'plan', from, '--vram', '1G'],
  ] as const) {
    const { stdout, stderr } = await command(name, args);
    // Both are what transformers 5 loads of that shard.
    if (args[0] === 'estimate') expect(stdout).toMatch(/float32 .* 32 bytes/);
    for (const code of ['TENSOR_NOT_IN_INDEX', 'SHARD_NUMBERING_GAP'])
      expect([args, stderr]).toEqual([args, expect.stringContaining(`[${code}]`)]);
  }
});

it('a copy of a model whose weights alone are in the cache has its tokenizer, or says that it may not', async () => {
  const content = floats('a');
  const server = await HubServer.start({
    'config.json': Buffer.from('{}'),
    'tokenizer.json': Buffer.from('{}'),
    'model.safetensors': content,
  });
  const snapshot = join(folder, 'hub/models--owner--model/snapshots', COMMIT);
  await mkdir(snapshot, { recursive: true });
  await writeFile(join(snapshot, 'config.json'), '{}');
  await writeFile(join(snapshot, 'model.safetensors'), content);
  const env = { HF_ENDPOINT: server.endpoint, HF_HUB_CACHE: join(folder, 'hub'), HF_HUB_OFFLINE: '' };
  const merge = (into: string) => command('blip2-shard', ['merge', 'owner/model', into, '--revision', COMMIT], { env });
  server.fail(`/api/models/owner/model/revision/${COMMIT}`, { kind: 'status', status: 404 });
  expect((await merge(join(folder, 'without'))).stderr).toContain('files beside the weights');
  expect((await merge(out)).code).toBe(0);
  await server.stop();
  expect((await readdir(out)).sort()).toEqual(['config.json', 'model.safetensors', 'tokenizer.json']);
});

it('lists of tensors have a line for each, whatever its name', async () => {
  const from = await write({ 'model.safetensors': floats('a\n- b\u001b[2J', '', '.a', 'a') });
  const other = join(folder, 'other.safetensors');
  await writeFile(other, floats('x'));
  const hashes = await shard('hash', from, '--tensors');
  expect(hashes.stdout.trimEnd().split('\n')).toHaveLength(5);
  expect(hashes.stdout).toContain(String.raw`  a\u000a- b\u001b[2J`);
  const { stdout } = await shard('diff', from, other);
  expect(stdout.trimEnd().split('\n').sort()).toEqual(['+ x', '- ', '- .a', '- a', String.raw`- a\u000a- b\u001b[2J`]);
  const listed = (await shard('inspect', from, '-q')).stdout;
  expect(listed).not.toMatch(/[^\P{Cc}\n]/u);
  expect(listed.match(/\(all\)/g)).toHaveLength(1);
  const { modules } = JSON.parse((await shard('inspect', from, '--json')).stdout) as {
    modules: { children: { path: string; children?: { path: string }[] }[] };
  };
  expect(modules.children.flatMap(({ path, children = [] }) => [path, ...children.map((below) => below.path)])).toEqual(
    expect.arrayContaining(['', '.a', 'a']),
  );
});

it('blip2-shard repair writes a lost index, and says that it reads no hub', async () => {
  const names = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'];
  const from = await write({ [names[0] ?? '']: floats('a'), [names[1] ?? '']: floats('b'), 'config.json': '{}' });
  expect((await shard('repair', from, out, '-q')).stdout).toBe(`${join(out, 'model.safetensors.index.json')}\n`);
  expect([...(await openCheckpoint(out)).tensors.keys()]).toEqual(['a', 'b']);
  const { code, stderr } = await shard('repair', 'owner/model', join(folder, 'none'));
  expect([code, stderr]).toEqual([2, expect.stringContaining('Download the model')]);
});

describe('blip2-plan of weights by names that from_pretrained does not look for', () => {
  const llama = { architectures: ['LlamaForCausalLM'], model_type: 'llama', tie_word_embeddings: true };
  const weights = floats('model.norm.weight', 'model.layers.0.input_layernorm.weight');
  const plan = async (files: Readonly<Record<string, string | Uint8Array>>, config: object = llama) => {
    await rm(join(folder, 'in'), { recursive: true, force: true });
    const from = await write({ ...files, 'config.json': JSON.stringify(config) });
    const { stdout, stderr } = await command('blip2-plan', [
      from,
      '--vram',
      '1G',
      '--engine',
      'transformers',
      '--json',
    ]);
    return { stderr, dtype: (JSON.parse(stdout) as { dtype: string }).dtype };
  };

  it('says so, and what names them', async () => {
    const named = { ...llama, transformers_weights: 'consolidated.safetensors' };
    const said = 'transformers looks for model.safetensors and finds no consolidated.safetensors';
    expect((await plan({ 'consolidated.safetensors': weights })).stderr).toContain(said);
    expect((await plan({ 'consolidated.safetensors': weights }, named)).stderr).not.toContain('warning: transformers');
    expect((await plan({ 'model.fp16.safetensors': weights })).stderr).not.toContain('warning: transformers');
    expect((await plan({ 'model.safetensors': weights }, named)).stderr).toContain(
      'transformers loads consolidated.safetensors, which config.json names as transformers_weights',
    );
  });

  // Of such files from_pretrained makes bfloat16 (transformers 5.24).
  it('takes the dtype of their index where config.json names none', async () => {
    const shards = 'model-00001-of-00001.safetensors';
    const weight_map = { 'model.norm.weight': shards, 'model.layers.0.input_layernorm.weight': shards };
    const files = (dtype: string) => ({
      [shards]: weights,
      'model.safetensors.index.json': JSON.stringify({ metadata: { dtype, total_size: 32 }, weight_map }),
    });
    expect((await plan(files('bfloat16'))).dtype).toBe('bfloat16');
    expect((await plan(files('nothing'))).dtype).toBe('float32');
    expect((await plan(files('bfloat16'), { ...llama, dtype: 'float16' })).dtype).toBe('float16');
  });
});
