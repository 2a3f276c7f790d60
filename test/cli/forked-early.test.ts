/** The process of a model that is forked before the command is read, where nobody needs it. */
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, expect, it } from 'vitest';
import type * as Fork from '../../src/runtime/captioner/process/fork-model.js';
import { DEMO, ROOT, script } from './command.js';

const folder = await mkdtemp(join(tmpdir(), 'blip2-forked-'));
afterAll(() => rm(folder, { recursive: true }));

const LINE = ['no-such-picture.jpg', '-m', DEMO];

function run(args: readonly string[], node: readonly string[] = [], env: Readonly<Record<string, string>> = {}) {
  const { status, stderr, error } = spawnSync(process.execPath, [...node, script('blip2-run'), ...args], {
    cwd: ROOT,
    env: { ...process.env, ...env },
    encoding: 'utf8',
    timeout: 15_000,
  });
  return { status, stderr, error };
}

it.each([
  ['is refused', [...LINE, '--bogus'], 2],
  ['asks for words', ['__complete', ...LINE, '--pro'], 0],
])('keeps nobody waiting for stderr where the line %s', async (_, args, status) => {
  // As a machine that takes half a minute to load it.
  const slow = join(folder, 'slow.cjs');
  await writeFile(
    slow,
    `if (/model-host/.test(process.argv[1])) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 30_000);`,
  );
  expect(run(args, [], { NODE_OPTIONS: `--require ${slow}` })).toMatchObject({ status, error: undefined });
});

it('is not missed where Node may fork none: the line is answered', () => {
  const flag = process.allowedNodeEnvironmentFlags.has('--permission') ? '--permission' : '--experimental-permission';
  const { status, stderr } = run([...LINE, '--bogus'], [flag, '--allow-fs-read=*', '--no-warnings']);
  expect(stderr).toMatch(/^error: Unknown argument: bogus/);
  expect(status).toBe(2);
});

it('leaves nothing to do at the end of a process that has outlived it', async () => {
  const built = pathToFileURL(join(ROOT, 'dist/src/runtime/captioner/process/fork-model.js'));
  const { forkAhead, forkModel } = (await import(built.href)) as typeof Fork;
  const before = process.listenerCount('exit');
  for (let model = 0; model < 2; model++) {
    forkAhead(undefined);
    expect(process.listenerCount('exit')).toBe(before + 1);
    const child = forkModel({});
    child.ref();
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(process.listenerCount('exit')).toBe(before);
  }
});
