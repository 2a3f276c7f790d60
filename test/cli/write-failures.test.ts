/** What the system refuses to write: said by its cause, and nothing is left. */
import { execFile, spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { command, DEMO, ROOT, script } from './command.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'blip2-failures-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** With files of 1,000 blocks at most, of 512 or 1,024 bytes each. */
function limited(name: string, ...args: string[]): Promise<{ readonly code: unknown; readonly stderr: string }> {
  return new Promise((resolve) => {
    execFile(
      'sh',
      ['-c', 'ulimit -f 1000; exec "$@"', 'sh', process.execPath, script(name), ...args],
      { cwd: ROOT, env: { ...process.env, XDG_CACHE_HOME: join(folder, 'cache'), BLIP2_PROFILE: 'none' } },
      (error, _stdout, stderr) => resolve({ code: error?.code ?? 0, stderr }),
    );
  });
}

describe('a folder that cannot be made', () => {
  it('is said to be, by all that write into one', async () => {
    const file = join(DEMO, 'pictures/shape-00.png');
    const commands = [
      ['blip2-run', file, '-m', DEMO, '--out'],
      ['blip2-run', file, '-m', DEMO, '--format', 'txt', '--out'],
      ['blip2-shard', 'convert', DEMO, '--dtype', 'float16'],
    ] as const;
    for (const [name, ...args] of commands) {
      for (const out of [join(ROOT, file), join(ROOT, file, 'inside')]) {
        const { code, stderr } = await command(name, [...args, out]);
        expect(code).toBe(2);
        expect(stderr).toMatch(/error: the folder ".*shape-00.png.*" cannot be made: .*\[OUTPUT_INVALID\]/);
      }
    }
    const env = { XDG_CACHE_HOME: join(ROOT, file) };
    expect(await command('blip2-plan', ['calibrate'], { env })).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('[OUTPUT_INVALID]'),
    });
  });

  it('has a name', async () => {
    const { code, stderr } = await command('blip2-run', [DEMO, '-m', DEMO, '--out', '']);
    expect(code).toBe(2);
    expect(stderr).toContain('--out has no name');
    expect(await readdir(ROOT)).not.toContain('.blip2-run');
  });
});

/** Only who may mount a disk has one that may not be written, for root too. */
const mounts =
  process.platform === 'linux' &&
  spawnSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'tmpfs', tmpdir()]).status === 0;

it.runIf(mounts)('a disk that may not be written is said to be, by a run into a folder that is there', () => {
  const run = `"$0" "$1" ${DEMO}/pictures/shape-00.png -m ${DEMO} --out "$2"`;
  const script_ = `mount -t tmpfs tmpfs "$2" && mkdir "$2/.blip2-run" && mount -o remount,ro "$2" && ${run}`;
  const disk = join(folder, 'disk');
  mkdirSync(disk);
  const args = ['--mount', 'sh', '-c', script_, process.execPath, script('blip2-run'), disk];
  const { status, stderr } = spawnSync('unshare', args, { cwd: ROOT, encoding: 'utf8' });
  expect(status).toBe(1);
  expect(stderr).toMatch(/0-of-1.lock was not written: EROFS.*\[WRITE_FAILED\]\nSee that its folder/);
});

describe.runIf(process.platform !== 'win32')('a file that may not be as large', () => {
  it('is said to be, by convert', async () => {
    const out = join(folder, 'out');
    const { code, stderr } = await limited('blip2-shard', 'convert', DEMO, out, '-q', '--dtype', 'float16');
    expect(code).toBe(1);
    expect(stderr).toMatch(/no file may be as large there: .*out.model-00001.* was not written \[FILE_TOO_LARGE\]/);
    expect((await readdir(out)).filter((name) => /safetensors$|partial$/.test(name))).toEqual([]);
  });

  it('is said to be, by a run that converts', async () => {
    const half = join(folder, 'half');
    expect(await command('blip2-shard', ['convert', DEMO, half, '-q', '--dtype', 'float16'])).toMatchObject({
      code: 0,
    });
    const { code, stderr } = await limited('blip2-run', `${DEMO}/pictures/shape-00.png`, '-m', half, '-q');
    expect(code).toBe(1);
    expect(stderr).toContain('[FILE_TOO_LARGE]');
    expect(await readdir(join(folder, 'cache/blip2-device-map'))).toEqual([]);
  });

  it.each(['webdataset', 'parquet'])(
    'is said to be, by a run into %s, which goes on where there is room',
    async (format) => {
      const large = join(folder, 'large.png');
      const pixels = { create: { width: 900, height: 900, channels: 3, background: 'white' } } as const;
      await sharp(pixels).png({ compressionLevel: 0 }).toFile(large);
      const flags = [`${DEMO}/pictures/shape-00.png`, large, '-m', DEMO, '-q', '--format', format];
      const out = join(folder, format);
      const { code, stderr } = await limited('blip2-run', ...flags, '--shard-size', '1', '--out', out);
      expect(code).toBe(1);
      expect(stderr).toContain('[FILE_TOO_LARGE]');
      const files = async () => (await readdir(out)).filter((name) => !name.startsWith('.blip2-run'));
      expect(await files()).toHaveLength(1);
      expect(await command('blip2-run', [...flags, '--shard-size', '1', '--out', out])).toMatchObject({ code: 0 });
      expect(await files()).toHaveLength(2);
    },
  );
});
