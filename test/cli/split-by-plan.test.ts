/** One plan for a checkpoint and for what blip2-shard makes of it. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { command, DEMO } from './command.js';

const PICTURE = `${DEMO}/pictures/shape-07.png`;
const CAPTION = 'a large orange diamond above a large green ring on a gray background';

let folder: string;
const made = (as: string): string => join(folder, as);
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'blip2-split-by-plan-'));
  await succeed('blip2-shard', 'split', DEMO, made('small'), '-q', '--max-shard-size', '1MB');
  await succeed('blip2-shard', 'convert', DEMO, made('half'), '-q', '--dtype', 'float16');
});
afterAll(() => rm(folder, { recursive: true }));

const env = () => ({ XDG_CACHE_HOME: join(folder, 'cache') });
async function succeed(name: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await command(name, args, { env: env() });
  expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
  return stdout;
}

describe('a plan', () => {
  it.each([
    ['in float16', ['--vram', '4M']],
    ['in float32', ['--vram', '8M', '--dtype', 'float32']],
    ['with small integers', ['--vram', '3M', '--allow-quant', 'int8,int4']],
    ['all on the CPU', ['--ram', '1G']],
  ])('%s runs the shards that it was split into, and any others of the same weights', async (name, budget) => {
    const plan = join(folder, `${name}.json`);
    await writeFile(plan, await succeed('blip2-plan', DEMO, ...budget, '--json', '-q'));
    const split = made(`${name} split`);
    await succeed('blip2-shard', 'split', DEMO, split, '-q', '--plan', plan);
    for (const model of [split, made('small'), made('half')]) {
      const flags = ['--plan', plan, '--emulate-gpu', '--threads', '1'];
      const text = await succeed('blip2-run', PICTURE, '-q', '-m', model, ...flags);
      expect([model, text.trim()]).toEqual([model, CAPTION]);
    }
  });
});

describe('config.json of half precision', () => {
  const dtypeOf = async (model: string): Promise<unknown> =>
    (JSON.parse(await readFile(join(model, 'config.json'), 'utf8')) as { dtype?: unknown }).dtype;

  it('states what transformers is to load, and a note what it will not load as stored', async () => {
    const convert = (out: string, ...flags: string[]) =>
      command('blip2-shard', ['convert', DEMO, join(folder, out), '--dtype', 'float16', ...flags]);
    const usual = await convert('usual', '--keep-fp32', 'qformer.*', '--keep-fp32', 'query_tokens');
    expect(usual.code).toBe(0);
    expect(usual.stderr).not.toContain('note:');
    expect(await dtypeOf(join(folder, 'usual'))).toBe('float16');
    const more = await convert(
      'more',
      '--keep-fp32',
      'qformer.*',
      '--keep-fp32',
      'query_tokens',
      '--keep-fp32',
      'vision*',
    );
    expect(more.stderr).toMatch(
      /^note: vision_model.+ and \d+ more tensors are not stored as transformers will load them/m,
    );
    expect(await dtypeOf(join(folder, 'more'))).toBe('float16');
    const all = await convert('all', '--keep-fp32', '*');
    expect(all.stderr).not.toContain('note:');
    expect(await dtypeOf(join(folder, 'all'))).toBe('float32');
  });
});
