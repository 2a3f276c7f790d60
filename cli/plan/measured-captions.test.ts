import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { measuredCaptions } from './measured-captions.js';

const folder = await mkdtemp(join(tmpdir(), 'blip2-measured-'));
const file = join(folder, 'times.jsonl');
afterAll(() => rm(folder, { recursive: true }));

it('takes the median of the times of blip2-run, pictures that failed left out', async () => {
  const timing = (imageMs: number, generateMs: number) =>
    JSON.stringify({ timing: { pixelsMs: 9, imageMs, generateMs } });
  const failed = JSON.stringify({ text: null, error: { code: 'BAD_PICTURE', message: 'no' } });
  await writeFile(file, `${timing(500, 500)}\n${timing(10, 20)}\n${failed}\n${timing(11, 21)}\n`);
  expect(await measuredCaptions(file)).toEqual({ label: 'measured', latencyMs: 32, gpuPeakBytes: null });
});

it('refuses a file without times', async () => {
  await writeFile(file, '{"text":"a"}\n');
  await expect(measuredCaptions(file)).rejects.toMatchObject({ code: 'FILE_INVALID' });
  await writeFile(file, 'not json\n');
  await expect(measuredCaptions(file)).rejects.toMatchObject({ code: 'FILE_INVALID' });
  await expect(measuredCaptions(join(folder, 'absent'))).rejects.toMatchObject({ code: 'FILE_INVALID' });
});
