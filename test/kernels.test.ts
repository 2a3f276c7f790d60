/** The compiled kernels that the repository holds are those of their sources. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';

it('every kernel is what its source compiles to', () => {
  const script = join(import.meta.dirname, '../scripts/build-kernels.mjs');
  const { status, stderr } = spawnSync(process.execPath, [script, '--check'], { encoding: 'utf8', timeout: 600_000 });
  expect(stderr).toBe('');
  expect(status).toBe(0);
});
