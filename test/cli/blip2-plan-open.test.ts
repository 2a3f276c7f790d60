import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { command, DEMO } from './command.js';

it.skipIf(process.platform !== 'linux')('opens the plan as a page, and the page alone without a question', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'blip2-open-test-'));
  const opened = join(folder, 'opened');
  await writeFile(
    join(folder, 'xdg-open'),
    `#!/bin/sh\nprintf %s "$1" > ${opened}.part && mv ${opened}.part ${opened}\n`,
  );
  await chmod(join(folder, 'xdg-open'), 0o755);
  const env = { PATH: `${folder}${delimiter}${process.env['PATH'] ?? ''}` };
  const full = [DEMO, '--vram', '4M', '-q', '--cut-layers', '--engine', 'transformers', '--page-lock'];
  for (const args of [[], full]) {
    const { code, stdout, stderr } = await command('blip2-plan', ['open', ...args], { env });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const file = stdout.trimEnd();
    await expect.poll(async () => readFile(opened, 'utf8').catch(() => null)).toBe(file);
    const html = await readFile(file, 'utf8');
    expect(html).toContain('<script id="script">');
    expect(html.includes('<script type="application/json" id="given">')).toBe(args.length > 0);
    // What was asked for is what the page goes on with.
    for (const said of ['cut=yes', 'lock=yes']) expect(html.includes(said)).toBe(args.length > 0);
    await rm(opened);
    if (args.length > 0) await rm(dirname(file), { recursive: true });
  }
  const { code, stderr } = await command('blip2-plan', ['open', '-q', DEMO]);
  expect({ code, stderr }).toMatchObject({ code: 2, stderr: expect.stringContaining('say how much memory there is') });
  await rm(folder, { recursive: true });
});
