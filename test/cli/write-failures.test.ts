/** What the system refuses to write: said by its cause, and nothing is left. */
import { execFile } from 'node:child_process';
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
