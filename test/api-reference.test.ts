import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { ROOT } from './cli/command.js';

it('docs/api is what the docstrings of the entry points say, and each export has one', async () => {
  const check = promisify(execFile)(process.execPath, ['scripts/api-reference.mjs', '--check'], { cwd: ROOT });
  expect(await check.catch(({ stderr }: { stderr: string }) => ({ stdout: '', stderr }))).toEqual({
    stdout: '',
    stderr: '',
  });
});
