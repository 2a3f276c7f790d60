/** A subcommand and the flag that it was before, or the plain line that it stands for, answer alike. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { command, DEMO, type Finished } from './command.js';
import { commandsInTurn } from './commands-in-turn.js';

const PICTURE = join(DEMO, 'pictures/shape-00.png');

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'blip2-subcommands-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** What is free of the host's memory is another figure every time. */
function withoutFree(text: string): string {
  return text.replaceAll(/, [\d.]+ \wiB free/g, '').replaceAll(/"freeBytes": \d+/g, '');
}

describe('old and new spelling', () => {
  const spellings: readonly (readonly [string, readonly string[], readonly string[]])[] = [
    ['blip2-plan', ['--vram', '10G'], ['plan', '--vram', '10G']],
    ['blip2-plan', [DEMO, '--vram', '3M', '--json'], ['plan', DEMO, '--vram', '3M', '--json']],
    ['blip2-plan', [DEMO, '--vram', '1M', '--ram', '1M'], ['plan', DEMO, '--vram', '1M', '--ram', '1M']],
    ['blip2-plan', [DEMO, '--vram', '4M', '--sweep', '2M..9M'], ['plan', DEMO, '--vram', '4M', '--sweep', '2M..9M']],
    ['blip2-plan', [], ['plan']],
    ['blip2-plan', ['--vrm', '4G'], ['plan', '--vrm', '4G']],
    ['blip2-plan', ['--sweep', '2G..5G'], ['sweep', '2G..5G']],
    ['blip2-plan', [DEMO, '--sweep', '2M..9M', '--json'], ['sweep', '2M..9M', DEMO, '--json']],
    ['blip2-plan', [DEMO, '--sweep', '2M..9M', '--format', 'table'], ['sweep', '2M..9M', DEMO, '--format', 'table']],
    ['blip2-plan', [DEMO, '--sweep', '2M..9M', '--gpu', '3060'], ['sweep', '2M..9M', DEMO, '--gpu', '3060']],
    [
      'blip2-plan',
      [DEMO, '--sweep', '2M..9M', '--pin', 'qformer=cpu'],
      ['sweep', '2M..9M', DEMO, '--pin', 'qformer=cpu'],
    ],
    ['blip2-plan', ['--sweep', '2G..5G', '--batch', 'auto'], ['sweep', '2G..5G', '--batch', 'auto']],
    ['blip2-plan', ['--sweep', '2..5'], ['sweep', '2..5']],
    ['blip2-plan', [DEMO, '--max-batch', '--vram', '20M'], ['max-batch', DEMO, '--vram', '20M']],
    ['blip2-plan', [DEMO, '--max-batch', '--vram', '2M'], ['max-batch', DEMO, '--vram', '2M']],
    ['blip2-plan', ['--max-batch'], ['max-batch']],
    ['blip2-plan', ['--devices'], ['devices']],
    ['blip2-plan', ['--json', '--devices'], ['devices', '--json']],
    ['blip2-run', [PICTURE, '-m', DEMO], ['caption', PICTURE, '-m', DEMO]],
    ['blip2-run', ['nowhere.png', '-m', DEMO], ['caption', 'nowhere.png', '-m', DEMO]],
    ['blip2-run', [], ['caption']],
  ];
  let answers: readonly Finished[];
  beforeAll(async () => {
    answers = await commandsInTurn(
      spellings.flatMap(([name, old, spelled]) => [
        [name, old],
        [name, spelled],
      ]),
    );
  });

  it.each(spellings.map((line, i) => [...line, i] as const))('%s %j is %j', (_name, _old, _spelled, i) => {
    const [before = expect.fail(), after = expect.fail()] = answers.slice(2 * i);
    expect(withoutFree(after.stdout)).toBe(withoutFree(before.stdout));
    expect(withoutFree(after.stderr)).toBe(withoutFree(before.stderr));
    expect(after.code).toBe(before.code);
  });

  it.skipIf(process.platform === 'win32')('of a measurement that has nowhere to be kept', async () => {
    const env = { XDG_CACHE_HOME: '/dev/null' };
    const [before, after] = [
      await command('blip2-plan', ['--calibrate'], { env }),
      await command('blip2-plan', ['calibrate'], { env }),
    ];
    expect(before.code).toBe(2);
    expect(after).toEqual(before);
  });

  it('write the same file', async () => {
    const [old, spelled] = [join(folder, 'old.json'), join(folder, 'new.json')];
    await command('blip2-plan', [DEMO, '--sweep', '2M..9M', '-o', old]);
    await command('blip2-plan', ['sweep', '2M..9M', DEMO, '-o', spelled]);
    expect(await readFile(spelled, 'utf8')).toBe(await readFile(old, 'utf8'));
  });
});

describe('a first word', () => {
  it.each<[string, readonly string[], string]>([
    ['blip2-plan', ['swep', '2G..5G'], 'Did you mean sweep?'],
    ['blip2-plan', ['device'], 'Did you mean devices?'],
    ['blip2-plan', ['Explain', 'map.json'], 'Did you mean explain?'],
    ['blip2-run', ['serv', '-m', DEMO], 'Did you mean serve?'],
    ['blip2-run', ['queue', 'stauts'], 'Did you mean status?'],
    ['blip2-shard', ['inspct', DEMO], 'Did you mean inspect?'],
    ['blip2-shard', ['frobnicate'], 'Subcommands: split, merge,'],
  ])('that is no subcommand of %s %j is refused with what was meant', async (name, args, meant) => {
    const { code, stdout, stderr } = await command(name, args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/^error: there is no subcommand ".*" \[USAGE\]\n/);
    expect(stderr).toContain(meant);
  });

  it('that names what is there is taken for it, however near to a subcommand', async () => {
    await writeFile(join(folder, 'plans'), '');
    const { stderr } = await command('blip2-plan', ['plans', '--vram', '1G'], { cwd: folder });
    expect(stderr).toMatch(/plans: has 0 bytes/);
  });
});

it('a sweep takes no budget of its own, and says how it goes beside a plan', async () => {
  const { code, stderr } = await command('blip2-plan', ['sweep', '2M..9M', DEMO, '--vram', '4M']);
  expect(code).toBe(2);
  const line = /: (blip2-plan .*)\.$/m.exec(stderr)?.[1]?.split(' ').slice(1) ?? [];
  expect(await command('blip2-plan', [...line, DEMO])).toMatchObject({ code: 0 });
});

it('a sweep within host memory is its own, where the flag stands beside a plan', async () => {
  const { code, stdout } = await command('blip2-plan', ['sweep', '1M..9M', DEMO, '--ram', '1M', '--json']);
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ 0: { latencyMs: null } });
});
