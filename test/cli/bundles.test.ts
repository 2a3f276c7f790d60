import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { DEMO, ROOT, script } from './command.js';

/** The files that a command has loaded by its end, by their names. */
async function loaded(name: string, args: readonly string[]): Promise<string[]> {
  const file = script(name);
  const code = `process.argv = [process.argv[0], ${JSON.stringify(file)}, ...${JSON.stringify(args)}];
    process.stdout.write = () => true;
    process.on('exit', () => console.error(JSON.stringify(Object.keys(require.cache))));
    require(${JSON.stringify(file)});`;
  const { stderr } = await promisify(execFile)(process.execPath, ['-e', code], { cwd: ROOT });
  const files: unknown = JSON.parse(stderr.trim().split('\n').at(-1) ?? '');
  return Array.isArray(files) ? files.map((path) => basename(String(path))) : [];
}

describe('bundled commands', () => {
  it.each([
    ['blip2-plan', ['--vram', '10G', '-q']],
    ['blip2-plan', [DEMO, '--vram', '10G', '-q', '--format', 'html']],
    ['blip2-run', ['--help']],
    ['blip2-shard', ['inspect', DEMO]],
  ])('%s %j loads its own files and no library', async (name, args) => {
    const own = name === 'blip2-run' ? ['blip2-run.js', 'run-command.js'] : [`${name}.js`];
    expect(await loaded(name, args)).toEqual(own);
  });

  it('come with the licences of what is in them', async () => {
    const licences = await readFile(script('blip2-plan').replace('blip2-plan.js', 'LICENSES.txt'), 'utf8');
    const bundle = await readFile(script('blip2-plan'), 'utf8');
    const packages = new Set(
      [...bundle.matchAll(/^ *\/\/ .*node_modules\/((?:@[^/\n]+\/)?[^/\n]+)\//gm)].map(([, name]) => name ?? ''),
    );
    expect(packages).toContain('yargs');
    for (const name of packages) expect(licences).toMatch(new RegExp(`^${name} \\d`, 'm'));
  });
});
