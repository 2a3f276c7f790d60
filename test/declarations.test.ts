import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { ROOT } from './cli/command.js';

/** What TypeScript says of the built declarations of entries, in a program that has these types and no others. */
async function complaints(entries: readonly string[], types: readonly string[]): Promise<string> {
  const flags = '--ignoreConfig --noEmit --strict --module nodenext --target es2022 --skipLibCheck false';
  const files = entries.map((entry) => join(ROOT, `dist/src/${entry}.d.ts`));
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
  const command = promisify(execFile)(process.execPath, [tsc, ...flags.split(' '), ...types, ...files], { cwd: ROOT });
  return command.then(
    ({ stdout }) => stdout,
    (error: { stdout: string }) => error.stdout,
  );
}

describe('declarations', { timeout: 60_000 }, () => {
  it('need no types of browsers', async () => {
    const entries = ['index', 'planner/index', 'loader/index', 'runtime/index', 'highs/index'];
    expect(await complaints(entries, ['--lib', 'es2022,esnext.disposable', '--types', 'node'])).toBe('');
  });

  it('of the planner need no types of Node', async () => {
    expect(await complaints(['planner/index'], ['--lib', 'es2022,dom', '--types', ''])).toBe('');
  });
});
