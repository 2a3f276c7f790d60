import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { load } from 'js-yaml';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseBlip2Config } from '../../src/model/blip2-config.js';
import { blip2Tensors } from '../../src/model/blip2-tensors.js';
import { PRESETS } from '../../src/model/presets.js';
import { tensorBytes } from '../../src/tensor/tensor-info.js';
import { command, DEMO } from './command.js';

/** What transformers 5 holds after loading opt-2.7b in float16: the Q-Former and its queries stay float32. */
const OPT_27B_FLOAT16_BYTES = 7_699_848_192;

const plan = (...args: string[]) => command('blip2-plan', args);

describe('blip2-plan', () => {
  it('plans the default model with nothing but a budget: stdout is the map alone, stderr the story', async () => {
    const { code, stdout, stderr } = await plan('--vram', '10G');
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual({ '': 0 });
    expect(stderr).toContain('10 GiB (10,737,418,240 bytes)');
    expect(stderr).toContain('Salesforce/blip2-opt-2.7b');
  });

  it('says nothing on stderr with --quiet, and the same bytes every time', async () => {
    const [a, b] = await Promise.all([plan('--vram', '6G', '-q', '--json'), plan('--vram', '6G', '-q', '--json')]);
    expect(a.stderr).toBe('');
    expect(a.stdout).toBe(b.stdout);
  });

  it('writes the same plan as JSON and as YAML', async () => {
    const [json, yaml] = await Promise.all([
      plan(DEMO, '--vram', '5M', '--format', 'json'),
      plan(DEMO, '--vram', '5M', '--format', 'yaml'),
    ]);
    expect(load(yaml.stdout)).toEqual(JSON.parse(json.stdout));
  });

  it('plans for larger pictures where they are asked for', async () => {
    const { stdout, stderr } = await plan('--vram', '10G', '--picture-size', '364x224', '--format', 'json');
    expect(JSON.parse(stdout)).toMatchObject({ workload: { pictureSize: { width: 364, height: 224 } } });
    expect(stderr).toContain('pictures of 364 x 224');
  });

  it.each([
    [['--vram', '10x'], 'SIZE_INVALID'],
    [['--vram', '-3G'], 'USAGE'],
    [['--vram', '10Gbit'], 'SIZE_INVALID'],
    [[], 'USAGE'],
    [['--vram', '1G', '--bogus'], 'USAGE'],
    [['--vram', '1G', '--batch', 'many'], 'USAGE'],
    [['--vram', '1G', '--picture-size', '3x'], 'USAGE'],
    [['--vram', '1G', '--picture-size', '8'], 'IMAGE_SIZE'],
    [['--vram', '1G', '--dtype', 'float8'], 'USAGE'],
    [['a', 'b', '--vram', '1G'], 'USAGE'],
    [['no-such-folder', '--vram', '1G'], 'USAGE'],
  ])('%j is wrong usage: exit code 2 and one line that says so', async (args, code) => {
    const finished = await plan(...args);
    expect(finished.code).toBe(2);
    expect(finished.stdout).toBe('');
    expect(finished.stderr.split('\n')[0]).toMatch(new RegExp(`^error: .*\\[${code}\\]$`));
  });

  it('says which value is wrong, in the words of the command line', async () => {
    const [negative, long] = await Promise.all([
      plan('--vram', '-5G'),
      plan('--vram', '5G', '--max-new-tokens', '1000000000'),
    ]);
    expect(negative.stderr).toContain('--vram takes no value such as -5G');
    expect(long.stderr).toMatch(
      /2048 positions, and the last new token needs none. \[WORKLOAD_INVALID\]\n--max-new-tokens may be 2016 at most/,
    );
    expect([negative.code, long.code]).toEqual([2, 2]);
  });

  it('ends with 3 and the deficit where nothing fits, as text and as JSON', async () => {
    const args = ['--vram', '1G', '--ram', '1G'];
    const [text, json] = await Promise.all([plan(...args), plan(...args, '--json')]);
    expect([text.code, json.code]).toEqual([3, 3]);
    expect(text.stderr).toMatch(/^error: does not fit: .* short \[DOES_NOT_FIT\]\nWorks as asked: .*--vram \d+MiB /);
    expect(JSON.parse(json.stderr)).toMatchObject({ code: 'DOES_NOT_FIT', details: { status: 'infeasible' } });
    expect(text.stdout + json.stdout).toBe('');
  });

  it('prints help and the version on stdout, whatever the language of the shell', async () => {
    const [help, version] = await Promise.all([
      command('blip2-plan', ['plan', '--help'], { env: { LANG: 'fr_FR.UTF-8', LC_ALL: 'fr_FR.UTF-8' } }),
      plan('--version'),
    ]);
    expect(help).toMatchObject({ code: 0, stderr: '' });
    expect(help.stdout).toContain('memory of one GPU');
    expect(version.stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});

describe('blip2-plan on a full-size checkpoint', () => {
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'blip2-plan-test-'));
    await writeSparseCheckpoint(folder);
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('counts what transformers loads, from headers alone', async () => {
    const weightBytes = async (engine: string): Promise<number> => {
      const { code, stdout } = await plan(folder, '--vram', '10G', '--json', '--engine', engine);
      expect(code).toBe(0);
      const { devices } = JSON.parse(stdout) as { devices: { weightBytes: number }[] };
      return devices.reduce((sum, device) => sum + device.weightBytes, 0);
    };
    expect(await weightBytes('transformers')).toBe(OPT_27B_FLOAT16_BYTES);
    // Of the Q-Former's 105 million numbers, those of matrices.
    const spared = OPT_27B_FLOAT16_BYTES - (await weightBytes('blip2-run'));
    expect(spared).toBeGreaterThan(2 * 105e6);
    expect(spared).toBeLessThan(2 * 105.2e6);
  });

  it('gives the same map as the preset of that name', async () => {
    const [files, preset] = await Promise.all([plan(folder, '--vram', '6G'), plan('blip2-opt-2.7b', '--vram', '6G')]);
    expect(files.stdout).toBe(preset.stdout);
  });
});

/** opt-2.7b in float32: 15 GB of zeros that take no space on disk. */
async function writeSparseCheckpoint(folder: string): Promise<void> {
  const preset = PRESETS.get('Salesforce/blip2-opt-2.7b');
  if (preset === undefined) throw new Error('the preset is gone');
  const tensors = blip2Tensors(parseBlip2Config(preset.config), { dtype: 'F32', ownHead: false });
  const header: Record<string, unknown> = {};
  let end = 0;
  for (const [name, tensor] of tensors) {
    const begin = end;
    end += tensorBytes(tensor);
    header[name] = { dtype: tensor.dtype, shape: tensor.shape, data_offsets: [begin, end] };
  }
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  const path = join(folder, 'model.safetensors');
  await writeFile(path, Buffer.concat([length, json]));
  await truncate(path, 8 + json.length + end);
  await writeFile(join(folder, 'config.json'), JSON.stringify(preset.config));
}
