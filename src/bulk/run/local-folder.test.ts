import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { expect, it } from 'vitest';
import { LocalFolder } from './local-folder.js';

it.skipIf(process.platform !== 'linux')('removes those of killed runs, and no other', async () => {
  const among = await mkdtemp(join(tmpdir(), 'blip2-local-folder-'));
  const left = join(among, 'blip2-run-killed');
  await mkdir(left);
  await writeFile(join(left, '.lock'), '');
  await writeFile(join(left, '00000.pictures'), 'pictures');
  const held = join(among, 'blip2-run-held');
  await mkdir(held);
  await writeFile(join(held, '.lock'), '');
  await mkdir(join(among, 'blip2-run-of-somebody-else'));
  const holder = spawn('flock', ['--close', join(held, '.lock'), 'sh', '-c', 'echo held; exec sleep 60'], {
    stdio: ['ignore', 'pipe', 'ignore'],
    detached: true,
  });
  await once(holder.stdout, 'data');
  const names = async () => (await readdir(among)).toSorted();
  const first = await LocalFolder.make(among);
  await using second = await LocalFolder.make(among);
  const own = [first, second].map(({ path }) => basename(path));
  expect(await names()).toEqual(['blip2-run-held', 'blip2-run-of-somebody-else', ...own].toSorted());
  await first[Symbol.asyncDispose]();
  process.kill(-(holder.pid ?? 0), 'SIGKILL');
  await once(holder, 'exit');
  const third = await LocalFolder.make(among);
  expect(await names()).toEqual(['blip2-run-of-somebody-else', basename(second.path), basename(third.path)].toSorted());
  await third[Symbol.asyncDispose]();
  await rm(among, { recursive: true });
});
