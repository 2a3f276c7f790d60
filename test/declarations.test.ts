import { execFile } from 'node:child_process';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { ROOT } from './cli/command.js';
import { readersFolder } from './readers-folder.js';

const declared = (entry: string) => join(ROOT, `dist/src/${entry}.d.ts`);

/** What TypeScript says of a program of these files that has these types and no others. */
async function complaints(files: readonly string[], types: readonly string[]): Promise<string> {
  const flags = '--ignoreConfig --noEmit --strict --module nodenext --target es2022 --skipLibCheck false';
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
  const command = promisify(execFile)(process.execPath, [tsc, ...flags.split(' '), ...types, ...files], { cwd: ROOT });
  return command.then(
    ({ stdout }) => stdout,
    (error: { stdout: string }) => error.stdout,
  );
}

describe('declarations', () => {
  it('need no types of browsers', async () => {
    const entries = ['index', 'planner/index', 'loader/index', 'runtime/index', 'highs/index'];
    expect(await complaints(entries.map(declared), ['--lib', 'es2022,esnext.disposable', '--types', 'node'])).toBe('');
  });

  it('of the planner need no types of Node', async () => {
    expect(await complaints([declared('planner/index')], ['--lib', 'es2022,dom', '--types', ''])).toBe('');
  });

  it('fit what README.md shows', async () => {
    const readme = await readFile(join(ROOT, 'README.md'), 'utf8');
    const snippets = [...readme.matchAll(/^```[jt]s\n(.*?)^```/gms)].map(([, code]) => code ?? '');
    expect(snippets.length).toBeGreaterThan(2);
    const folder = await readersFolder();
    try {
      const files = snippets.map((_, i) => join(folder, `${i}.mts`));
      for (const [i, file] of files.entries()) await writeFile(file, snippets[i] ?? '');
      expect(await complaints(files, ['--lib', 'es2022,esnext.disposable,dom', '--types', 'node'])).toBe('');
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
