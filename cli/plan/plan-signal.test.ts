import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { CommandContext } from '../common/main.js';
import { plan } from './plan.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'blip2-signal-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** Node hears of a signal between two turns of its loop, and a search is one turn: caught, Ctrl-C would wait for its end. */
it('a plan is made without asking for signals, so that the first ends it', async () => {
  let asked = 0;
  const context: CommandContext = {
    argv: ['models/demo', '--vram', '64M', '-q', '-o', join(folder, 'map.json')],
    get signal() {
      asked += 1;
      return new AbortController().signal;
    },
  };
  expect(await plan(context)).toBe(0);
  expect(await readFile(join(folder, 'map.json'), 'utf8')).toBe('{\n  "": 0\n}\n');
  expect(asked).toBe(0);
});
