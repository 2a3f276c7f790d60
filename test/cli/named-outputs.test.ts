/** `-o X` where X is not a plain file: what X is stays what it was. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { lstat, mkdtemp, open, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { command, DEMO, ROOT, script } from './command.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'blip2-outputs-'));
});
afterEach(() => rm(folder, { recursive: true }));

const ARGS = [DEMO, '--vram', '10M', '-q'];
const plan = (...args: string[]) => command('blip2-plan', [...ARGS, ...args]);
const isMap = (text: string): boolean => Object.keys(JSON.parse(text) as object).length > 0;

describe.runIf(process.platform !== 'win32')('an output that is not a plain file', () => {
  it.each([[[]], [['--force']]])('a link to a file: the file is what is written (%j)', async (force: string[]) => {
    const [link, file] = [join(folder, 'link.json'), join(folder, 'file.json')];
    await symlink('file.json', link);
    const dangling = await plan('-o', link, ...force);
    expect(dangling).toMatchObject({ code: 2, stdout: '' });
    expect(dangling.stderr).toContain('it is a broken link');
    await writeFile(file, 'before');
    const written = await plan('-o', link, ...force);
    expect((await lstat(link)).isSymbolicLink()).toBe(true);
    if (force.length > 0) expect([written.code, isMap(await readFile(file, 'utf8'))]).toEqual([0, true]);
    else expect([written.code, await readFile(file, 'utf8')]).toEqual([2, 'before']);
    expect((await readdir(folder)).sort()).toEqual(['file.json', 'link.json']);
  });

  it.each([[[]], [['--force']]])('a device is written to (%j)', async (force: string[]) => {
    const link = join(folder, 'device');
    await symlink('/dev/null', link);
    expect(await plan('-o', link, ...force)).toMatchObject({ code: 0, stdout: '' });
    expect((await lstat(link)).isSymbolicLink()).toBe(true);
    expect((await lstat('/dev/null')).isCharacterDevice()).toBe(true);
    await rm(link);
    await symlink('/dev/full', link);
    const full = await plan('-o', link, ...force);
    expect(full).toMatchObject({ code: 1, stderr: expect.stringMatching(/^error: the disk is full: .*\[DISK_FULL\]/) });
    expect(full.stderr).not.toContain('--force');
  });

  it.each([[[]], [['--force']]])('a FIFO has a reader, or is refused (%j)', async (force: string[]) => {
    const fifo = join(folder, 'fifo');
    execFileSync('mkfifo', [fifo]);
    expect(await plan('-o', fifo, ...force)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('a FIFO that nobody reads [OUTPUT_INVALID]'),
    });
    const reader = spawn('cat', [fifo]);
    let read = '';
    reader.stdout.on('data', (text: Buffer) => (read += text.toString()));
    const ended = once(reader, 'close');
    // The reader's end may not be open yet: without one the answer is the refusal above.
    let written = await plan('-o', fifo, ...force);
    for (let i = 0; i < 50 && written.code !== 0; i++) written = await plan('-o', fifo, ...force);
    expect(written.code).toBe(0);
    await ended;
    expect(isMap(read)).toBe(true);
    expect((await lstat(fifo)).isFIFO()).toBe(true);
  });

  it.each([[[]], [['--force']]])('sockets and folders are refused (%j)', async (force: string[]) => {
    const server = createServer().listen(join(folder, 'socket'));
    await once(server, 'listening');
    for (const [name, kind] of [
      ['socket', 'socket'],
      ['.', 'folder'],
    ] as const) {
      const refused = await plan('-o', join(folder, name), ...force);
      expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining(`it is a ${kind} [OUTPUT_INVALID]`) });
      expect(refused.stderr).not.toContain('--force');
    }
    await new Promise((resolve) => server.close(resolve));
  });

  it.runIf(process.platform === 'linux')('/dev/stdout is stdout, whatever that is', async () => {
    const printed = (await plan()).stdout;
    expect((await plan('-o', '/dev/stdout')).stdout).toBe(printed);
    expect((await plan('-o', '/dev/stdout', '--force')).stdout).toBe(printed);
    expect((await plan('-o', '/dev/stderr')).stderr).toBe(printed);
    const out = join(folder, 'out');
    await writeFile(out, 'before\n');
    const handle = await open(out, 'a');
    const child = spawn(process.execPath, [script('blip2-plan'), ...ARGS, '-o', '/dev/stdout', '--force'], {
      cwd: ROOT,
      env: { ...process.env, BLIP2_PROFILE: 'none' },
      stdio: ['ignore', handle.fd, 'inherit'],
    });
    await once(child, 'close');
    await handle.close();
    expect(await readFile(out, 'utf8')).toBe(`before\n${printed}`);
  });
});
