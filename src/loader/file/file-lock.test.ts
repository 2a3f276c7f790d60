import { mkdtemp, rm } from 'node:fs/promises';
import * as real from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'blip2-lock-'));
});
afterEach(async () => {
  vi.doUnmock('node:fs/promises');
  vi.resetModules();
  await rm(folder, { recursive: true });
});

/** As on Windows before libuv 1.51, which has other numbers of a volume for a path than for an open file. */
it('is had at once, whatever number the system gives the volume', async () => {
  let asked = 0;
  const stat = async (path: string) => {
    asked += 1;
    const stats = await real.stat(path);
    // Whoever goes by that number asks again and again.
    return Object.assign(stats, asked > 9 ? {} : { dev: stats.dev + 2 ** 32 });
  };
  // Other tests of this process have loaded it.
  vi.resetModules();
  vi.doMock('node:fs/promises', () => ({ ...real, stat }));
  const { openLocked } = await import('./file-lock.js');
  await using handle = (await openLocked(join(folder, 'lock'))) ?? undefined;
  expect(handle).toBeDefined();
  expect(asked).toBe(1);
});
