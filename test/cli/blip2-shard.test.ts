import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openCheckpoint } from '../../src/loader/open-checkpoint.js';
import { COMMIT, HubServer } from '../loader/hub-server.js';
import { safetensorsBytes, withHeader } from '../loader/safetensors-bytes.js';
import { command, DEMO, ROOT, script } from './command.js';

const shard = (...args: string[]) => command('blip2-shard', args);

let folder: string;
let demoHash: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'blip2-shard-'));
  demoHash = (await shard('hash', DEMO)).stdout;
});

afterAll(() => rm(folder, { recursive: true }));

async function contents(where: string): Promise<Map<string, string>> {
  const entries = await readdir(where, { withFileTypes: true });
  const names = entries
    .filter((entry) => entry.isFile())
    .map(({ name }) => name)
    .sort();
  const hashes = await Promise.all(
    names.map(async (name) =>
      createHash('sha256')
        .update(await readFile(join(where, name)))
        .digest('hex'),
    ),
  );
  return new Map(names.map((name, i) => [name, hashes[i] ?? '']));
}

describe('blip2-shard', () => {
  it('splits by size, says where the index is, and keeps every tensor', async () => {
    const out = join(folder, 'split');
    const { code, stdout, stderr } = await shard('split', DEMO, out, '--max-shard-size', '1MiB');
    expect({ code, stdout }).toEqual({ code: 0, stdout: `${join(out, 'model.safetensors.index.json')}\n` });
    expect(stderr).toContain('13 files');
    expect((await shard('hash', out, '-q')).stdout).toBe(demoHash);
    const merged = join(folder, 'merged');
    expect((await shard('merge', out, merged, '-q')).stdout).toBe(`${join(merged, 'model.safetensors')}\n`);
    expect((await shard('hash', merged)).stdout).toBe(demoHash);
    expect((await shard('diff', DEMO, merged)).code).toBe(0);
  });

  it("splits by a plan, the GPU's tensors in float16, the CPU's in float32", async () => {
    const plan = join(folder, 'plan.json');
    const { stdout } = await command('blip2-plan', [
      DEMO,
      '--vram',
      '100M',
      '--reserve',
      '0',
      '--format',
      'json',
      '-q',
    ]);
    const document = JSON.parse(stdout) as { device_map: object; placements: { block: string }[] };
    const placements = document.placements.map((placement) => ({
      ...placement,
      runsOn: placement.block.startsWith('vision_model') ? 'cpu' : 0,
    }));
    await writeFile(plan, JSON.stringify({ ...document, device_map: { vision_model: 'cpu', '': 0 }, placements }));
    const out = join(folder, 'by-plan');
    expect((await shard('split', DEMO, out, '--plan', plan)).code).toBe(0);
    const { files, tensors, config } = await openCheckpoint(out);
    expect(config).not.toBeNull();
    for (const [name, { file, dtype }] of tensors) {
      const onCpu = name.startsWith('vision_model');
      const inFloat32 = onCpu || name.startsWith('qformer') || name === 'query_tokens';
      expect(dtype, name).toBe(inFloat32 ? 'F32' : 'F16');
      expect(files.find(({ path }) => path === file)?.metadata.get('device')).toBe(onCpu ? 'cpu' : '0');
    }
  });

  it('converts there and back within the precision of the dtype', async () => {
    const [half, full] = [join(folder, 'half'), join(folder, 'full')];
    expect((await shard('convert', DEMO, half, '--dtype', 'bfloat16', '--keep-fp32', 'query_*')).code).toBe(0);
    expect((await openCheckpoint(half)).tensors.get('query_tokens')?.dtype).toBe('F32');
    expect((await shard('convert', half, full, '--dtype', 'F32')).code).toBe(0);
    expect((await shard('diff', half, full, '--atol', '0', '-q')).stdout).toBe('');
    const { code, stdout } = await shard('diff', DEMO, full, '--atol', '1e-6', '--json');
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ same: false });
    expect((await shard('diff', DEMO, full, '--atol', '0.02')).code).toBe(0);
  });

  it('stores the linear layers of the language model as small integers, and what is left in another dtype', async () => {
    const out = join(folder, 'int4');
    const args = ['--quant', 'int4', '--only', '*.layers.0.*', '--only', '*lm_head*', '--dtype', 'float16'];
    expect((await shard('convert', DEMO, out, ...args)).code).toBe(0);
    const { tensors, files, config } = await openCheckpoint(out);
    expect(config).toMatchObject({ dtype: 'float16', text_config: { dtype: 'float16' } });
    const layer = 'language_model.model.decoder.layers.0.fc1.weight';
    expect([
      tensors.has(layer),
      tensors.get(`${layer}.int4`)?.dtype,
      tensors.get(`${layer}.int4_scales`)?.dtype,
    ]).toEqual([false, 'U8', 'F16']);
    expect(tensors.get('language_model.model.decoder.layers.1.fc1.weight')?.dtype).toBe('F16');
    // The head of this model is its token table, which is looked up in too.
    expect(tensors.has('language_model.lm_head.weight.int4')).toBe(true);
    expect(tensors.has('language_model.model.decoder.embed_tokens.weight')).toBe(true);
    expect(files.some(({ metadata }) => metadata.get('quantization') === 'int4 in blocks of 64')).toBe(true);
    // Converting once more leaves the scales to their integers.
    const full = join(folder, 'int4-float32');
    expect((await shard('convert', out, full, '--dtype', 'float32', '-q')).code).toBe(0);
    expect((await openCheckpoint(full)).tensors.get(`${layer}.int4_scales`)?.dtype).toBe('F16');
  });

  it('refuses to quantise what blip2-run would not use so', async () => {
    const { code, stderr } = await shard('convert', DEMO, join(folder, 'no'), '--quant', 'int8', '--only', 'vision*');
    expect({ code, stderr }).toMatchObject({ code: 2, stderr: expect.stringContaining('[USAGE]') as string });
    expect(await readdir(folder)).not.toContain('no');
  });

  it('says that a checkpoint is quantised already, and that a file is no folder', async () => {
    const [int8, again] = [join(folder, 'int8-once'), join(folder, 'int8-twice')];
    await shard('convert', DEMO, int8, '--quant', 'int8', '-q');
    const twice = await shard('convert', int8, again, '--quant', 'int4');
    expect(twice).toMatchObject({ code: 2, stderr: expect.stringContaining('quantised already') as string });
    const file = join(folder, 'a-file');
    await writeFile(file, '');
    const onFile = await shard('merge', DEMO, file);
    expect(onFile).toMatchObject({ code: 2, stderr: expect.stringContaining('[OUTPUT_INVALID]') as string });
  });

  it('filters and renames', async () => {
    const [vision, renamed] = [join(folder, 'vision'), join(folder, 'renamed')];
    expect((await shard('filter', DEMO, vision, '--include', 'vision_model.*', '--exclude', '*.bias')).code).toBe(0);
    expect((await shard('rename', vision, renamed, '--prefix', 'vision_model.=v.')).code).toBe(0);
    const names = [...(await openCheckpoint(renamed)).tensors.keys()];
    expect(names.length).toBeGreaterThan(10);
    expect(names.every((name) => name.startsWith('v.') && !name.endsWith('.bias'))).toBe(true);
  });

  it('inspects: the parts add up to the whole', async () => {
    const { stdout } = await shard('inspect', DEMO, '--json', '--depth', '1');
    const { modules } = JSON.parse(stdout) as {
      modules: { bytes: number; children: { path: string; bytes: number }[] };
    };
    expect(modules.children.map(({ path }) => path).sort()).toEqual(
      ['language_model', 'language_projection', 'qformer', 'query_tokens', 'vision_model'], // prettier-ignore
    );
    expect(modules.children.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(modules.bytes);
  });

  it('takes a model on the hub: headers for inspecting, weights for merging', async () => {
    const bytes = Uint8Array.from({ length: 400_000 }, (_, i) => i);
    const content = safetensorsBytes([{ name: 'a', dtype: 'U8', shape: [bytes.length], bytes }]);
    const server = await HubServer.start({ 'config.json': Buffer.from('{}'), 'model.safetensors': content });
    const env = { HF_ENDPOINT: server.endpoint, HF_HUB_CACHE: join(folder, 'hub'), HF_HUB_OFFLINE: '0' };
    const inspected = await command('blip2-shard', ['inspect', 'owner/model', '--json', '-q'], { env });
    expect(JSON.parse(inspected.stdout)).toMatchObject({ modules: { tensors: 1, bytes: bytes.length } });
    expect(server.sentBytes).toBeLessThan(200_000);
    const verified = await command('blip2-shard', ['verify', 'owner/model', '--deep', '--json', '-q'], { env });
    expect(JSON.parse(verified.stdout)).toEqual({ ok: true, findings: [], files: 1, tensors: 1 });
    const out = join(folder, 'from-hub');
    expect((await command('blip2-shard', ['merge', 'owner/model', out], { env })).code).toBe(0);
    await server.stop();
    expect((await shard('diff', out, join(folder, 'hub/models--owner--model/snapshots', COMMIT), '-q')).code).toBe(0);
  });

  it('verifies, and repairs what verify says', async () => {
    const broken = join(folder, 'broken.safetensors');
    await writeFile(
      broken,
      withHeader('{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}', Buffer.from('ok+junk')),
    );
    const { code, stdout } = await shard('verify', broken, '--json');
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      ok: false,
      findings: [{ code: 'METADATA_INCOMPLETE_BUFFER', severity: 'error' }],
    });
    const out = join(folder, 'repaired');
    expect((await shard('repair', broken, out)).code).toBe(0);
    expect((await shard('verify', out, '--deep')).code).toBe(0);
    expect((await shard('verify', DEMO, '--deep')).stdout).toBe('');
  });

  it.each([
    [[], 2],
    [['slit', DEMO, 'x'], 2],
    [['split', DEMO, 'x'], 2],
    [['split', DEMO], 2],
    [['split', DEMO, 'x', '--max-shard-size', '5 gigs'], 2],
    [['convert', DEMO, 'x', '--dtype', 'float8'], 2],
    [['filter', DEMO, 'x', '--include', 'nothing.*'], 2],
    [['rename', DEMO, 'x', '--prefix', 'a'], 2],
    [['verify', 'no-such-folder'], 2],
    [['merge', DEMO, DEMO], 2],
  ])('%j fails with one line and exit code %i', async (args, code) => {
    const result = await shard(...args);
    expect(result).toMatchObject({ code, stdout: '' });
    expect(result.stderr).toMatch(/^error: .*\[\w+\]\n/);
  });

  it('killed anywhere: the input is unchanged, outputs are whole or absent, and a rerun ends with the same bytes', async () => {
    const input = await contents(resolve(ROOT, DEMO));
    const out = join(folder, 'killed');
    const args = ['convert', DEMO, out, '--dtype', 'float16', '-q'];
    await shard(...args);
    const undisturbed = await contents(out);
    /** How many files of a kind a killed run has begun or written by then; -1 before there is a folder. */
    const written = async (kind: RegExp) =>
      (await readdir(out).catch(() => null))?.filter((name) => kind.test(name)).length ?? -1;
    for (const [kind, count] of [
      [/./, 0],
      [/partial/, 1],
      [/\.safetensors$/, 1],
      [/\.safetensors$/, 2],
      [/index\.json$/, 1],
    ] as const) {
      await rm(out, { recursive: true, force: true });
      const child = spawn(process.execPath, [script('blip2-shard'), ...args], { cwd: ROOT, stdio: 'ignore' });
      const ended = new Promise((done) => child.once('close', done));
      while (child.exitCode === null && (await written(kind)) < count) await setTimeout(1);
      child.kill('SIGKILL');
      await ended;
      const present = await contents(out).catch(() => new Map<string, string>());
      for (const [name, hash] of present) if (name.endsWith('.safetensors')) expect(hash).toBe(undisturbed.get(name));
      if (!present.has('model.safetensors.index.json')) expect((await shard(...args)).code).toBe(0);
      else if (present.has('.blip2-shard-job.json')) expect((await shard(...args)).code).toBe(0);
      expect(await contents(out)).toEqual(undisturbed);
    }
    expect(await contents(resolve(ROOT, DEMO))).toEqual(input);
  });

  it('lists and removes what runs keep of converted weights', async () => {
    const env = { XDG_CACHE_HOME: join(folder, 'user-cache') };
    const half = join(folder, 'to-be-cached');
    const cache = (...args: string[]) => command('blip2-shard', ['cache', ...args], { env });
    expect(await cache('ls')).toMatchObject({
      code: 0,
      stdout: '',
      stderr: expect.stringMatching(/^0 files, 0 bytes in/),
    });
    await shard('convert', DEMO, half, '--dtype', 'float16', '-q');
    const caption = () => command('blip2-run', [`${DEMO}/pictures/shape-00.png`, '-m', half], { env });
    const first = await caption();
    expect(first.code).toBe(0);
    const { stdout } = await cache('ls');
    expect(stdout).toMatch(/^ID +SIZE +MADE +HOLDS +FROM\n/);
    const [, row = ''] = stdout.split('\n');
    expect(row).toMatch(new RegExp(`^[0-9a-f]{8}  .+ MiB  \\d{4}-\\d\\d-\\d\\d  F32  +.*${half}$`));
    const id = row.slice(0, 8);
    expect((await cache('rm', 'x')).code).toBe(2);
    expect(await cache('prune')).toMatchObject({ code: 0, stdout: '' });
    expect(await cache('verify')).toMatchObject({ code: 0, stdout: `${id}  sound\n` });
    const kept = join(env.XDG_CACHE_HOME, 'blip2-device-map');
    const [file = ''] = await readdir(kept);
    const { size } = await stat(join(kept, file));
    // Zeros of the same length, as a disk or another program leaves them.
    await truncate(join(kept, file), Math.floor(size / 3));
    await truncate(join(kept, file), size);
    expect(await cache('verify', id)).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/are not what was written/),
    });
    expect((await caption()).stdout).toBe(first.stdout);
    expect((await cache('verify', '-q')).stdout).toBe(`${id}  sound\n`);
    expect((await cache('verify', '--all')).code).toBe(2);
    expect((await cache('rm', id, '--dry-run')).stdout).toBe(`${id}\n`);
    expect((await cache('rm', id.slice(0, 3), '-q')).stdout).toBe(`${id}\n`);
    expect((await cache('ls', '-q')).stdout).toBe('');
    expect((await caption()).stdout).toBe(first.stdout);
    await rm(half, { recursive: true });
    expect((await cache('ls')).stdout).toContain('(gone or changed)');
    const pruned = JSON.parse((await cache('prune', '--json')).stdout) as { removed: { id: string }[] };
    expect(pruned.removed).toMatchObject([{ id: expect.stringContaining(id), isStale: true }]);
  });
});
