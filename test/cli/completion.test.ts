/** How an unfinished line goes on: what the commands answer, and what the shells make of it. */
import { execFile, spawn, spawnSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { command, script, type Finished } from './command.js';
import { commandsInTurn, type CommandLine } from './commands-in-turn.js';

const COMMANDS = {
  'blip2-plan': 'blip2-plan',
  'device-map': 'blip2-plan',
  'blip2-run': 'blip2-run',
  'blip2-shard': 'blip2-shard',
};

/** The words of an answer. */
function wordsIn({ code, stdout, stderr }: Finished): string[] {
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout.split('\n').flatMap((each) => (each === '' ? [] : [each.split('\t')[0] ?? '']));
}

describe('the words for the end of a line', () => {
  const lines: readonly (readonly [...CommandLine, readonly string[]])[] = [
    ['blip2-plan', ['sw'], ['/', 'sweep']],
    ['blip2-plan', ['./sw'], ['/']],
    ['blip2-run', ['queue', 're'], ['retry']],
    ['blip2-shard', ['re'], ['rename', 'repair']],
    ['blip2-plan', ['completion', ''], ['bash', 'zsh', 'fish']],
    ['blip2-shard', ['cache', 'v'], ['verify']],
    ['blip2-shard', ['cache', 'rm', ''], []],
    ['blip2-plan', ['--vr'], ['--vram']],
    ['blip2-plan', ['some-model', '--vram', '4G', '--vr'], ['--vram']],
    ['blip2-plan', ['--beams', '2', '--bea'], []],
    ['blip2-plan', ['--beams=2', '--bea'], []],
    ['blip2-plan', ['sweep', '2G..4G', '--format', ''], ['table', 'json']],
    ['blip2-plan', ['-f', 'py'], ['python']],
    ['blip2-plan', ['plan', '--format=py'], ['--format=python']],
    ['blip2-plan', ['plan', '--format', '=', 'py'], ['python']],
    ['blip2-plan', ['plan', '--provider', '='], ['cuda', 'webgpu']],
    ['blip2-plan', ['plan', '--output', ''], []],
    ['blip2-plan', ['plan', '--devi'], []],
    ['blip2-run', ['caption', 'a.jpg', '--beams', 'many', '--fetch-l'], ['--fetch-limit']],
    ['blip2-run', ['serve', '--tok'], ['--token-file']],
  ];
  let answers: readonly Finished[];
  beforeAll(async () => {
    answers = await commandsInTurn(lines.map(([name, line]) => [name, ['__complete', ...line]]));
  });

  it.each(lines.map((line, i) => [...line, i] as const))('%s %j', (_name, _line, expected, i) => {
    expect(wordsIn(answers[i] ?? expect.fail('no answer'))).toEqual(expected);
  });

  it('are all the flags that the help shows', async () => {
    const shown = (await command('blip2-run', ['caption', '--help'])).stdout.matchAll(/^ .{5}(--[\w-]+)/gm);
    const flags = [...shown].map(([, flag = '']) => flag);
    expect(flags.length).toBeGreaterThan(40);
    const words = wordsIn(await command('blip2-run', ['__complete', 'caption', '--']));
    expect(new Set(words)).toEqual(new Set([...flags, '--help', '--version']));
  });
});

describe.skipIf(process.platform === 'win32')('in a shell', () => {
  let folder: string;
  let env: NodeJS.ProcessEnv;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'blip2-completion-'));
    await mkdir(join(folder, 'bin'));
    for (const [name, file] of Object.entries(COMMANDS)) {
      const path = join(folder, 'bin', name);
      const asked = `[ "$1" = completion ] || [ "$1" = __complete ]`;
      const own = `exec '${process.execPath}' '${script(file)}' "$@"`;
      await writeFile(path, `#!/bin/sh\n${asked} || { echo "typed<$*>"; exit; }\n${own}\n`);
      await chmod(path, 0o755);
    }
    await mkdir(join(folder, 'cats and dogs'));
    await writeFile(join(folder, 'map.json'), '{}');
    env = { ...process.env, PATH: `${join(folder, 'bin')}${delimiter}${process.env['PATH'] ?? ''}`, HOME: folder };
  });
  afterAll(() => rm(folder, { recursive: true }));

  const run = async (shell: string, code: string, ...args: string[]) => {
    const { stdout, stderr } = await promisify(execFile)(shell, ['-c', code, ...args], { cwd: folder, env });
    expect(stderr).toBe('');
    return stdout.split('\n').slice(0, -1);
  };

  /** As readline fills them in before it calls what `complete` names. */
  const IN_BASH = `
    source <("$1" completion bash)
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
    \${0//-/_}
    (( \${#COMPREPLY[@]} )) && printf '%s\\n' "\${COMPREPLY[@]}"
    complete -p "$1"`;

  it.each<[string, string, readonly string[], readonly string[]]>([
    ['_blip2-plan', 'blip2-plan', ['swe'], ['sweep']],
    ['_blip2-plan', 'device-map', ['explain', 'map.json', '--engine', 't'], ['transformers']],
    ['_blip2-plan', 'blip2-plan', ['plan', '--format', '=', 'y'], ['yaml']],
    ['_blip2-plan', 'blip2-plan', ['ma'], ['max-batch', 'map.json']],
    ['_blip2-plan', 'blip2-plan', ['-o', 'm'], []],
    ['_blip2-run', 'blip2-run', ['ca'], ['caption', 'cats and dogs']],
    ['_blip2-shard', 'blip2-shard', ['split', 'a', 'b', '--max'], ['--max-shard-size']],
  ])('bash: %s for %s %j', async (own, name, line, expected) => {
    const answered = await run('bash', IN_BASH, own, name, ...line);
    const registered = `complete -o default -F ${own.replaceAll('-', '_')} ${name}`;
    expect(answered).toEqual([...expected, registered]);
  });

  it.each(['bash', 'zsh', 'fish'])('%s takes the script of every command', async (shell) => {
    for (const name of Object.keys(COMMANDS)) {
      const { code, stdout } = await command(COMMANDS[name as keyof typeof COMMANDS], ['completion', shell]);
      expect(code).toBe(0);
      expect(stdout).toContain(name);
      const file = join(folder, `${name}.${shell}`);
      await writeFile(file, stdout);
      const checked = spawnSync(shell, ['-n', file], { encoding: 'utf8' });
      if (checked.error === undefined) expect(checked).toMatchObject({ status: 0, stderr: '' });
    }
  });

  const hasFish = spawnSync('fish', ['--version']).status === 0;
  it.skipIf(!hasFish)('fish: subcommands, choices, files (skipped where there is no fish)', async () => {
    const ask = (line: string) => run('fish', `blip2-plan completion fish | source; complete -C '${line}'`);
    expect(await ask('blip2-plan swe')).toEqual(['sweep\tlatency against memory per GPU']);
    expect(await ask('blip2-plan plan --format=py')).toEqual(['--format=python']);
    expect(await ask('blip2-plan ma')).toEqual(['map.json', 'max-batch\tthe most pictures per call that fit']);
    expect(await ask('blip2-plan plan --output=ma')).toEqual(['--output=map.json']);
  });

  // All is typed ahead: the shell reads it in order, whenever it comes to it.
  const hasZsh = ['zsh', 'script'].every((name) => spawnSync(name, ['--version']).status === 0);
  it.skipIf(!hasZsh)('zsh: subcommands, flags, choices, files (skipped where there is no zsh)', async () => {
    const lines = [
      ['swe\t2G..3G --form\tjs\t', 'sweep 2G..3G --format json'],
      ['explain ma\t--measu\tma\t', 'explain map.json --measured map.json'],
      ['--vram 4G -o cats\t', '--vram 4G -o cats and dogs'],
      ['plan --output=ma\t', 'plan --output=map.json'],
      ['map\t', 'map.json'],
    ] as const;
    const set = 'autoload -Uz compinit; compinit -u -D\nsource <(blip2-plan completion zsh)\n';
    await writeFile(join(folder, '.zshrc'), set);
    const typed = lines.map(([line]) => `blip2-plan ${line}\n`).join('');
    const zsh = spawn('script', ['-qec', 'zsh -i', '/dev/null'], { cwd: folder, env: { ...env, ZDOTDIR: folder } });
    zsh.stdin.end(`${typed}exit\n`);
    const screen = await text(zsh.stdout);
    expect([...screen.matchAll(/typed<(.*?)>/g)].map(([, args]) => args)).toEqual(lines.map(([, args]) => args));
  });
});
