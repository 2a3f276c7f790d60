/** What people type first: names, units and words that are nearly right. Each is understood, or answered with what is. */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { command, DEMO, type Finished } from './command.js';
import { commandsInTurn, type CommandLine } from './commands-in-turn.js';

const PICTURE = join(DEMO, 'pictures/shape-00.png');
/** The language model on GPU 0, the rest on the CPU: 4.95 GiB of opt-2.7b on the card. */
const MAP = { query_tokens: 0, vision_model: 'cpu', qformer: 'cpu', language_projection: 'cpu', language_model: 0 };

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'blip2-typed-'));
  await writeFile(join(folder, 'map.json'), JSON.stringify(MAP));
  const onThird = Object.entries(MAP).map(([module, device]) => [module, device === 0 ? 2 : device]);
  await writeFile(join(folder, 'third.json'), JSON.stringify(Object.fromEntries(onThird)));
});
afterAll(() => rm(folder, { recursive: true }));

const map = () => join(folder, 'map.json');

describe('is refused, with what was probably meant', () => {
  const lines: readonly (readonly [...CommandLine, string])[] = [
    ['blip2-plan', ['--vram', '10'], 'Did you mean 10G (10 GiB)?'],
    ['blip2-plan', ['--vram', '24576'], 'Did you mean 24576M (24 GiB)'],
    ['blip2-plan', ['--vram', '10G', '--ram', '32'], 'Did you mean 32G (32 GiB)?'],
    ['blip2-plan', ['--sweep', '2..16'], 'Did you mean 2G..16G?'],
    ['blip2-plan', ['--sweep', '2..16G'], 'Did you mean 2G (2 GiB)?'],
    ['blip2-plan', ['--sweep', '16G..2G'], 'Did you mean 2G..16G?'],
    ['blip2-plan', ['--sweep', '4G..4G'], 'blip2-plan --vram 4G.'],
    ['blip2-plan', ['--vram', '12G', '6G'], '6G is a size, and stands where a checkpoint does'],
    ['blip2-plan', ['--vram', '12G,6G'], 'Repeat the flag: --vram 12G --vram 6G.'],
    ['blip2-plan', ['--vram', '12GB, 6,'], 'Repeat the flag: --vram 12GB --vram 6GB.'],
    ['blip2-plan', ['--vram', '6G', '--engine', 'transformers', '--provider', 'webgpu'], 'Leave --provider webgpu out'],
    ['blip2-plan', ['--vram', '6G', '--strategy', 'balanced', '--allow-quant', 'int8'], 'Leave one of them out.'],
    ['blip2-plan', ['--vram', '6G', '-o', 'none/x.json', '-q'], 'there is no folder none'],
    ['blip2-plan', ['explain', 'none.json'], 'none.json cannot be read as JSON: there is no such file'],
    ['blip2-plan', ['explain', DEMO, 'map.json'], 'cannot be read as JSON: it is a folder'],
    [
      'blip2-plan',
      ['--vram', '6G', '--profile', 'none.json'],
      'none.json cannot be read as JSON: there is no such file',
    ],
    ['blip2-shard', ['split', DEMO, 'out', '--max-shard-size', '5'], 'Did you mean 5G (5 GiB)?'],
    ['blip2-plan', ['--vrm', '10G'], 'Did you mean --vram?'],
    ['blip2-plan', ['--vram=10G', '--max-new-tokns=3'], 'Did you mean --max-new-tokens?'],
    ['blip2-run', [PICTURE, '--modle', DEMO], 'Did you mean --model?'],
    ['blip2-shard', ['split', DEMO, 'out', '--pln', 'map.json'], 'Did you mean --plan?'],
    ['blip2-plan', ['exlpain', 'map.json'], 'Did you mean explain?'],
    ['blip2-plan', ['opne'], 'Did you mean open?'],
    ['blip2-shard', ['splt', DEMO], 'Did you mean split?'],
    ['blip2-plan', ['blip2-opt-2.7', '--vram', '10G'], 'Did you mean blip2-opt-2.7b?'],
    ['blip2-plan', ['--gpu', 'rtx 3061'], 'Did you mean RTX 3060?'],
    ['blip2-plan', ['--gpu', 'NVIDIA GeForce RTX 3060 Laptop GPU'], 'Say it with --vram.'],
    ['blip2-plan', ['--vram', '10G', '-o', 'x.png'], 'Extensions: .json, .yaml'],
    ['blip2-plan', ['explain', 'map.json', '-o', 'x.png'], 'is neither .svg nor .html'],
    ['blip2-plan', ['--vram', '10G', '--dtype', 'fp17'], 'Short names work as well: fp16'],
    ['blip2-shard', ['convert', DEMO, 'out', '--dtype', 'int8'], 'is not one of float16, bfloat16, float32'],
    ['blip2-run', [PICTURE, '-m', 'blip2-opt-2.7b'], 'Salesforce/blip2-opt-2.7b: its files then come from https://'],
    ['blip2-shard', ['inspect', 'blip2-flan-t5-xll'], 'Salesforce/blip2-flan-t5-xl: its files then come from'],
    ['blip2-run', [PICTURE, '-m', DEMO, '--threads', '99999'], `at most ${availableParallelism()}`],
    ['blip2-run', [PICTURE, '-m', DEMO, '--question', ' '], '--question is empty'],
    ['blip2-run', [PICTURE, '-m', DEMO, '--question'], '--question needs a value'],
    ['blip2-run', [PICTURE, '-m'], '-m needs a value'],
    ['blip2-run', [PICTURE, '-m', DEMO, '--format', 'json'], '--format json is none of jsonl, txt'],
    ['blip2-run', [PICTURE, '-m', DEMO, '--format', 'json'], 'Did you mean jsonl?'],
    ['blip2-run', [PICTURE, '-m', DEMO, '--format', 'txt'], '--format needs --out'],
    ['blip2-plan', ['completion', 'fihs'], '<shell> fihs is none of bash, zsh, fish'],
    ['blip2-plan', [join(DEMO, 'config.json'), '--vram', '1G'], 'Give the folder that it lies in.'],
    ['blip2-run', [PICTURE, '-m', DEMO, '-m', DEMO], 'error: -m is given 2 times'],
    ['blip2-run', [PICTURE, '-m', DEMO, '--beams', '2', '--beams=3'], '--beams is given 2 times'],
  ];
  let answers: readonly Finished[];
  beforeAll(async () => {
    answers = await commandsInTurn(
      lines.map(([name, args]) => [name, args]),
      { env: { HF_ENDPOINT: '' } },
    );
  });

  it.each(lines.map((line, i) => [...line, i] as const))('%s %j', (_name, _args, answer, i) => {
    const { code, stdout, stderr } = answers[i] ?? expect.fail('no answer');
    expect(stderr).toContain(answer);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr.trim().split('\n').length).toBeLessThanOrEqual(2);
  });

  it('and writes no file', async () => {
    expect((await readdir('.')).filter((name) => /^(x\.png|out)$/.test(name))).toEqual([]);
  });
});

describe('blip2-plan', () => {
  it.each(['3060', 'rtx3060', 'NVIDIA GeForce RTX 3060'])('--gpu %s is the whole card', async (card) => {
    const { code, stdout, stderr } = await command('blip2-plan', ['--gpu', card, '--json']);
    expect(stderr).toContain('gpu0 is taken to be a whole RTX 3060 of 12 GiB');
    const { devices } = JSON.parse(stdout) as {
      devices: { id: unknown; budgetBytes: number; overheadBytes: number }[];
    };
    expect(code).toBe(0);
    expect(devices.find(({ id }) => id === 0)).toMatchObject({
      budgetBytes: 12 * 2 ** 30,
      overheadBytes: 720 * 2 ** 20,
    });
  });

  it('--vram is what counts beside --gpu', async () => {
    const { stdout, stderr } = await command('blip2-plan', ['--gpu', '3060', '--vram', '8G', '--json']);
    expect(stderr).not.toContain('whole');
    const { devices } = JSON.parse(stdout) as {
      devices: { id: unknown; budgetBytes: number; overheadBytes: number }[];
    };
    expect(devices.find(({ id }) => id === 0)).toMatchObject({ budgetBytes: 8 * 2 ** 30, overheadBytes: 0 });
  });

  it.each(['fp16', 'f16', 'half', 'F16', 'torch.float16'])('--dtype %s is float16', async (dtype) => {
    const args = ['--vram', '10G', '--json', '-q', '--dtype', dtype];
    expect(JSON.parse((await command('blip2-plan', args)).stdout)).toMatchObject({ dtype: 'float16' });
  });

  it('reads a map from stdin, and writes to stdout', async () => {
    const args = ['explain', '-', DEMO, '--vram', '64M'];
    const explained = await command('blip2-plan', args, { stdin: '{"": 0}' });
    expect(explained).toMatchObject({ code: 0 });
    expect(explained.stdout).toContain('The map is sound');
    const planned = await command('blip2-plan', ['--vram', '10G', '-q', '-o', '-']);
    expect(JSON.parse(planned.stdout)).toEqual({ '': 0 });
  });

  it('max-batch says why not one picture fits', async () => {
    const { code, stdout, stderr } = await command('blip2-plan', ['max-batch', DEMO, '--vram', '1M', '--ram', '1M']);
    expect({ code, stdout }).toEqual({ code: 3, stdout: '0\n' });
    expect(stderr).toMatch(/^error: does not fit: .* short \[DOES_NOT_FIT\]\nWorks as asked: --/);
  });

  it('names activations, where weights alone would fit', async () => {
    const args = [DEMO, '--vram', '12M', '--ram', '12M', '--picture-size', '1000'];
    const { code, stderr } = await command('blip2-plan', args);
    expect(code).toBe(3);
    expect(stderr).toMatch(/budgets are gpu0 12 MiB, cpu 12 MiB: what else .* activations \(up to [\d.]+ [MG]iB\)/);
  });

  it.each([['-V'], ['-v'], ['--version']])('%s is the version', async (flag) => {
    const { version } = JSON.parse(await readFile('package.json', 'utf8')) as { version: string };
    expect(await command('blip2-plan', [flag])).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' });
  });
});

describe('blip2-plan explain', () => {
  it('says that a map does not fit, and shows one that does', async () => {
    const { code, stdout } = await command('blip2-plan', ['explain', map(), '--vram', '4G']);
    expect(code).toBe(3);
    expect(stdout).toMatch(/^It does not fit: GPU 0 is .* over its budget\.$/m);
    const instead = stdout.split('This plan fits the same budgets')[1] ?? '';
    expect(instead).toMatch(/^gpu0 {3}budget 4 GiB .* free \d/m);
    expect(stdout).not.toContain('No map within these budgets');
  });

  it('says what would make a map fit where none does', async () => {
    const { code, stdout } = await command('blip2-plan', ['explain', map(), '--vram', '1G', '--ram', '2G']);
    expect(code).toBe(3);
    expect(stdout).toMatch(/^No other map fits either: .* short\.\nWorks as asked: --vram /m);
  });

  it('says which model a map was compared with that is for another one', async () => {
    const { code, stdout } = await command('blip2-plan', ['explain', '-'], {
      stdin: '{"model.layers": 0, "lm_head": 0}',
    });
    expect(code).toBe(2);
    expect(stdout).toMatch(
      /This model is Salesforce\/blip2-opt-2\.7b\. Name another behind the map: blip2-plan explain - \.\/model\n$/,
    );
    const named = await command('blip2-plan', ['explain', '-', DEMO], { stdin: '{"model.layers": 0, "lm_head": 0}' });
    expect(named.stdout).not.toContain('Name another');
  });

  it('knows what Python prints from JSON', async () => {
    const { code, stderr } = await command('blip2-plan', ['explain', '-'], { stdin: "{'': 0}" });
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: expect.stringContaining('write it with json.dump') as unknown,
    });
  });

  it('warns of a device that no budget was given for', async () => {
    const { code, stdout } = await command('blip2-plan', ['explain', join(folder, 'third.json'), '--vram', '10G']);
    expect(code).toBe(0);
    expect(stdout).toContain('warning: GPU 2 has no budget');
    expect(stdout).toContain('warning: GPU 0 is not used by this map.');
  });
});

describe('blip2-run', () => {
  it('reads a plan from stdin', async () => {
    const args = [PICTURE, '-m', DEMO, '--plan', '-', '--emulate-gpu', '-q'];
    expect(await command('blip2-run', args, { stdin: '{"": 0}' })).toMatchObject({
      code: 0,
      stdout: 'a small red ring above a small red circle on a white background\n',
    });
  });

  it('refuses a plan that is over its own budget, and diff reads it', async () => {
    const over = ['--vram', '5M', '--batch', '8', '--strategy', 'sequential', '--json', '-q'];
    const { stdout: stdin } = await command('blip2-plan', [DEMO, ...over]);
    const { code, stderr } = await command('blip2-run', [PICTURE, '-m', DEMO, '--plan', '-', '--emulate-gpu'], {
      stdin,
    });
    expect(code).toBe(2);
    expect(stderr).toMatch(
      /^error: the plan takes .* more than the 5 MiB of GPU 0, for a map .* \[PLAN_INVALID\]\nPlan again/,
    );
    const file = join(folder, 'over.json');
    await writeFile(file, stdin);
    expect((await command('blip2-plan', ['diff', file, file])).stdout).toContain('no block changes');
  });

  it('reports one picture that fails in its own words alone', async () => {
    const torn = join(folder, 'torn.png');
    await writeFile(torn, 'no picture');
    const { code, stderr } = await command('blip2-run', [torn, '-m', DEMO]);
    expect(code).toBe(4);
    expect(stderr).toMatch(/^error: .*torn\.png/);
    expect(stderr).not.toContain('1 of 1');
  });
});
