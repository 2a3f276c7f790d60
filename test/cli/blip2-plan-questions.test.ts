import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { command, DEMO, type Finished } from './command.js';
import { commandsInTurn } from './commands-in-turn.js';

const plan = (...args: string[]) => command('blip2-plan', args);

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'blip2-plan-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

describe('blip2-plan', () => {
  it('writes the format that a file name asks for, and replaces nothing unasked', async () => {
    const file = join(folder, 'load.py');
    const first = await plan('--vram', '6G', '--engine', 'transformers', '-q', '-o', file);
    expect(first).toMatchObject({ code: 0, stdout: '', stderr: '' });
    expect(await readFile(file, 'utf8')).toContain('max_memory = {0: 6442450944');
    const second = await plan('--vram', '8G', '-q', '-o', file);
    expect(second.code).toBe(2);
    expect(second.stderr).toMatch(/it exists \[OUTPUT_EXISTS\]/);
    expect(await readFile(file, 'utf8')).toContain('6442450944');
    expect((await plan('--vram', '8G', '-q', '-f', 'python', '-o', file, '--force')).code).toBe(0);
    expect(await readFile(file, 'utf8')).toContain('8589934592');
  });

  it('writes Python by a plan for transformers, which runs it, unless another engine is asked for', async () => {
    const asked = ['--vram', '6G', '-f', 'python'];
    const [usual, other, same] = [
      await plan(...asked),
      await plan(...asked, '--engine', 'blip2-run'),
      await plan(...asked, '--engine', 'transformers'),
    ];
    expect(usual.stderr).toMatch(/ for transformers$/m);
    expect(usual).toEqual(same);
    expect(other.stderr).toMatch(/ for blip2-run$/m);
    expect(other.stdout).not.toBe(usual.stdout);
  });

  it('keeps pins, and says which module it cannot pin', async () => {
    const { stdout } = await plan('--vram', '4G', '--pin', 'qformer=0', '--pin', 'vision_model=cpu', '-q');
    expect(JSON.parse(stdout)).toMatchObject({ qformer: 0, vision_model: 'cpu' });
    const unknown = await plan('--vram', '4G', '--pin', 'lm=0');
    expect(unknown.code).toBe(2);
    expect(unknown.stderr).toMatch(/"lm".*\[PIN_UNKNOWN\]/);
  });

  it('counts a dtype per module', async () => {
    const whole = JSON.parse((await plan('--vram', '40G', '-q', '--json', '--dtype', 'float32')).stdout);
    const mixed = JSON.parse(
      (await plan('--vram', '40G', '-q', '--json', '--dtype', 'bfloat16', '--dtype', 'vision_model=float32')).stdout,
    );
    // The table of positions (2050 x 2560) is looked up in host memory.
    expect(whole.devices[0].weightBytes).toBe(14_979_047_424 - 20_992_000);
    expect(whole.devices[1].weightBytes).toBe(20_992_000);
    expect(mixed.devices[0].weightBytes).toBe(7_489_523_712 + 1_971_904_512 - 10_496_000);
    expect(mixed.dtypes).toEqual({ vision_model: 'float32' });
  });

  it('counts no pictures in host memory of which it is not said how much there is', async () => {
    const { code, stdout, stderr } = await plan('--vram', '6G', '--max-batch', '-q');
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/--ram/);
    expect(Number((await plan('--vram', '6G', '--ram', '16G', '--max-batch', '-q')).stdout)).toBeGreaterThan(0);
  });

  it('answers what a budget range buys, and how many pictures fit', async () => {
    const sweep = await plan('--vram', '4G', '--sweep', '2G..10G');
    expect(sweep.stderr).toMatch(/per GPU +predicted +streamed\n +2 GiB .*\n/);
    expect(sweep.stderr).toMatch(/language_model on the GPU/);
    const most = Number((await plan('--vram', '8G', '--max-batch', '--max-new-tokens', '79', '-q')).stdout);
    // Room for the table of positions alone.
    const fits = await plan(
      '--vram',
      '8G',
      '--ram',
      '10496000B',
      '--batch',
      String(most),
      '--max-new-tokens',
      '79',
      '-q',
    );
    const tooMany = await plan(
      '--vram',
      '8G',
      '--ram',
      '10496000B',
      '--batch',
      String(most + 1),
      '--max-new-tokens',
      '79',
      '-q',
    );
    expect([fits.code, tooMany.code]).toEqual([0, 3]);
  });

  it('plans for the most pictures per second, and says how many at once that is', async () => {
    const flags = ['--vram', '6G', '--gpu', 'H200'];
    const chosen = await plan(...flags, '--batch', 'auto', '--json');
    expect(chosen.code).toBe(0);
    const { workload, cost } = JSON.parse(chosen.stdout);
    expect(workload.batch).toBeGreaterThan(8);
    expect(chosen.stderr).toContain(`batch ${workload.batch}, ${workload.encoded} encoded together, beams 1`);
    const [, pictures, rate] =
      /for (\d+) pictures, ([\d.]+) a second \([\d.]+ m?s to [\d.]+ m?s\)/.exec(chosen.stderr) ?? [];
    expect(Number(pictures)).toBe(workload.batch);
    expect(Number(rate) / ((1000 * workload.batch) / cost.latencyMs)).toBeCloseTo(1, 1);
    const same = await plan(...flags, '--batch', String(workload.batch), '--json', '-q');
    expect(JSON.parse(same.stdout)).toEqual(JSON.parse(chosen.stdout));
    const one = JSON.parse((await plan(...flags, '--json', '-q')).stdout);
    expect(one.workload).toEqual({ ...workload, batch: 1, encoded: undefined });
    expect(1000 / one.cost.latencyMs).toBeLessThan(Number(rate) / 3);
  });

  it.each([
    [['--sweep', '2G..10G']],
    [['--vram', '6G', '--strategy', 'balanced']],
    [['--vram', '6G', '--objective', 'fewest-devices']],
    [['explain', 'map.json', '--vram', '6G']],
  ])('has no batch of its own choice for %j', async (flags) => {
    await writeFile(join(folder, 'map.json'), '{"": 0}');
    const args = flags.map((flag) => (flag === 'map.json' ? join(folder, flag) : flag));
    const refused = await plan(...args, '--batch', 'auto');
    expect(refused).toMatchObject({ code: 2, stdout: '' });
    expect(refused.stderr).toMatch(/--batch .*\[USAGE\]/);
  });

  it('sweeps without a plan where no memory is stated', async () => {
    const [table, json, picture] = await Promise.all([
      plan('--sweep', '2G..10G'),
      plan('--sweep', '2G..10G', '--json'),
      plan('--sweep', '2G..10G', '--format', 'svg'),
    ]);
    expect(table.stdout).toMatch(/^ +per GPU +predicted +streamed\n +2 GiB .*\n/);
    const points: unknown = JSON.parse(json.stdout);
    expect(points).toHaveLength(9);
    expect(points).toMatchObject({ 8: { gpuBytes: 10 * 2 ** 30, streamedBytesPerCall: 0 } });
    expect(picture.code).toBe(2);
    expect(picture.stderr).toContain('svg needs a plan');
  });

  it('sweeps on a machine that was measured and has no card', async () => {
    const cache = { BLIP2_PROFILE: '', XDG_CACHE_HOME: join(folder, 'measured'), CUDA_VISIBLE_DEVICES: '' };
    const ask = (...args: string[]) => command('blip2-plan', args, { env: cache });
    // Measures the CPU, and keeps what it measured.
    expect(await ask('--ram', '20G', '-q')).toMatchObject({ code: 0 });
    const [swept, limited, planned] = await Promise.all([
      ask('sweep', '4G..4.5G', '--json'),
      ask('sweep', '4G..4.5G', '--json', '--ram', '20G'),
      ask('--vram', '4G', '--json', '-q'),
    ]);
    expect(limited).toMatchObject({ code: 0, stderr: '' });
    // The point of a sweep is the plan for that memory, with the same speeds.
    expect(JSON.parse(swept.stdout)[0].latencyMs).toBe(JSON.parse(planned.stdout).cost.latencyMs);
  });

  it('quantises where allowed, and says what that costs', async () => {
    const { stdout, stderr } = await plan('--vram', '4G', '--gpu', 'H200', '--allow-quant', 'int8', '--json');
    const document = JSON.parse(stdout);
    expect(Object.keys(document.quant)).toContain('language_model.lm_head');
    expect(stderr).toMatch(/int8 {3}\d+ blocks: their weights are off by about 0\.53 %/);
    const map = await plan('--vram', '4G', '--gpu', 'H200', '--allow-quant', 'int8');
    expect(map.stderr).toMatch(/a device map does not say what is quantised/);
    expect((await plan('--vram', '4G')).stderr).not.toMatch(/int8/);
  });

  it('plans a checkpoint that is quantised already, whose device map says all there is to say', async () => {
    const out = join(folder, 'int8');
    await command('blip2-shard', ['convert', DEMO, out, '--quant', 'int8', '-q']);
    const { code, stderr } = await command('blip2-plan', [out, '--vram', '3M']);
    expect(code).toBe(0);
    expect(stderr).toContain('int8');
    expect(stderr).not.toContain('warning');
  });

  it('plans for throughput, for few GPUs, and for as long as it may', async () => {
    const two = ['--vram', '10G', '--vram', '10G', '--json'];
    const few = JSON.parse((await plan(...two, '--objective', 'fewest-devices', '-q')).stdout);
    expect(few.placements.every(({ runsOn }: { runsOn: unknown }) => runsOn === 0)).toBe(true);
    const many = await plan(...two, '--objective', 'throughput', '--time-limit', '2');
    expect(many.stderr).toMatch(/for throughput: a call every \d+/);
    expect(JSON.parse(many.stdout).cost.busiestMs).toBeLessThan(0.7 * few.cost.busiestMs);
  });

  const wrong: readonly (readonly [readonly string[], string])[] = [
    [['--vram', '4G', '--allow-quant', 'int2'], 'USAGE'],
    [['--vram', '4G', '--engine', 'transformers', '--allow-quant', 'int8'], 'QUANT_INVALID'],
    [['--vram', '4G', '--time-limit', 'soon'], 'USAGE'],
    [['--vram', '4G', '--sweep', '2G'], 'USAGE'],
    [['--vram', '4G', '--sweep', '8G..2G'], 'USAGE'],
    [['--vram', '4G', '--gpu', 'Voodoo 2'], 'USAGE'],
    [['--vram', '4G', '--dtype', 'vision_model=int8'], 'USAGE'],
    [['--vram', '4G', '--dtype', 'visoin_model=float32'], 'USAGE'],
    [['--vram', '4G', '--pin', 'qformer'], 'USAGE'],
    [['--vram', '4G', '--pin', 'qformer=1'], 'USAGE'],
    [['--vram', '4G', '--output', ''], 'USAGE'],
    [['--vram', '4G', '--profile', 'package.json'], 'PROFILE_INVALID'],
    [['--vram', '4G', '--pin', 'qformer=cpu:0'], 'MAP_DEVICE'],
    [['--vram', '4G', '--profile', 'no-such-file.json'], 'FILE_INVALID'],
  ];
  let usage: readonly Finished[];
  beforeAll(async () => {
    usage = await commandsInTurn(wrong.map(([args]) => ['blip2-plan', args]));
  });

  it.each(wrong.map((line, i) => [...line, i] as const))('%j is wrong usage', (_args, code, i) => {
    expect(usage[i]?.code).toBe(2);
    expect(usage[i]?.stderr.split('\n')[0]).toMatch(new RegExp(`\\[${code}\\]$`));
  });
});

describe('blip2-plan explain', () => {
  const article = {
    query_tokens: 0,
    vision_model: 'cpu',
    qformer: 'cpu',
    language_projection: 'cpu',
    language_model: 0,
  };

  it('prices a sound map against ours', async () => {
    const file = join(folder, 'article.json');
    await writeFile(file, JSON.stringify(article));
    const { code, stdout } = await plan('explain', file, '--vram', '6G', '--engine', 'transformers', '--gpu', 'h200');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^The map is sound/);
    expect(stdout).toMatch(/Ours within the same budgets: .* x as fast/);
  });

  it('ends with 2 for a map that readers take differently, and prints one that they do not', async () => {
    const file = join(folder, 'prefix.json');
    await writeFile(file, JSON.stringify({ '': 'cpu', 'vision_model.encoder.layers.1': 0 }));
    const { code, stdout } = await plan('explain', file, '--vram', '6G', '--json');
    expect(code).toBe(2);
    const [issue] = JSON.parse(stdout).issues;
    expect(issue.code).toBe('MAP_PREFIX_CONFLICT');
    expect(issue.rewrite['vision_model.encoder.layers.10']).toBe('cpu');
    expect(issue.rewrite['vision_model.encoder.layers.1']).toBe(0);
  });

  it('ends with 3 for a map that is too large', async () => {
    const file = join(folder, 'large.json');
    await writeFile(file, JSON.stringify(article));
    const { code, stdout } = await plan('explain', file, '--vram', '4G', '--engine', 'transformers');
    expect(code).toBe(3);
    expect(stdout).toMatch(/GPU 0 is .* over its budget/);
  });
});

describe('blip2-plan diff', () => {
  it('lists what moves', async () => {
    const [small, large] = [join(folder, 'small.json'), join(folder, 'large-plan.json')];
    await writeFile(small, (await plan('--vram', '4G', '--json', '-q')).stdout);
    await writeFile(large, (await plan('--vram', '10G', '--json', '-q')).stdout);
    const { code, stdout } = await plan('diff', small, large);
    expect(code).toBe(0);
    expect(stdout).toMatch(/vision_model\.encoder\.layers\.38: GPU 0 \(from cpu\) -> GPU 0/);
    expect(stdout).not.toContain('driver');
    const counted = join(folder, 'counted.json');
    await writeFile(counted, (await plan('--vram', '10G', '--gpu', 'H200', '--count-context', '--json', '-q')).stdout);
    expect((await plan('diff', large, counted)).stdout).toContain("without the driver's share -> with it");
    const locked = join(folder, 'locked.json');
    const pageable = await plan('--vram', '4G', '--engine', 'transformers', '--json', '-q');
    await writeFile(small, pageable.stdout);
    await writeFile(locked, (await plan('--vram', '4G', '--engine', 'transformers', '--page-lock', '--json')).stdout);
    expect((await plan('diff', small, locked)).stdout).toContain('pageable -> page-locked memory');
    const other = join(folder, 'other.json');
    await writeFile(other, (await plan('models/demo', '--vram', '64M', '--json', '-q')).stdout);
    const differing = (await plan('diff', large, other)).stdout;
    expect(differing).toMatch(/^the models differ: \d+ blocks gone, 0 new$/m);
    expect(differing).not.toContain('no block changes');
    const wrong = await plan('diff', small, join(folder, 'article.json'));
    expect(wrong.code).toBe(2);
  });
});
