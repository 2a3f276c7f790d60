import { mkdtemp, rm, stat } from 'node:fs/promises';
import type * as promises from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { openLocked } from './file-lock.js';

/** As on Windows before libuv 1.51, which has other numbers of a volume for a path than for an open file. */
vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof promises>();
  return { ...real, stat: vi.fn(real.stat) };
});

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'blip2-lock-'));
});
afterEach(() => rm(folder, { recursive: true }));

it('is had at once, whatever number the system gives the volume', async () => {
  const real = vi.mocked(stat).getMockImplementation();
  let asked = 0;
  vi.mocked(stat).mockImplementation(async (...args) => {
    asked += 1;
    const stats = await real?.(...args);
    if (stats === undefined) throw new Error('no stat');
    return Object.assign(stats, asked > 9 ? {} : { dev: Number(stats.dev) + 2 ** 32 });
  });
  await using handle = (await openLocked(join(folder, 'lock'))) ?? undefined;
  expect(handle).toBeDefined();
  expect(asked).toBe(1);
});
