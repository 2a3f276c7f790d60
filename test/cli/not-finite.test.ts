import { cp, mkdtemp, open, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openCheckpoint } from '../../src/loader/index.js';
import { command, DEMO, ROOT } from './command.js';

let folder: string;
let model: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'blip2-not-finite-'));
  model = join(folder, 'model');
  await cp(join(ROOT, DEMO), model, { recursive: true, filter: (path) => !path.includes('pictures') });
});

afterEach(() => rm(folder, { recursive: true }));

async function poke(tensor: string, values: readonly number[]): Promise<void> {
  const stored = (await openCheckpoint(model)).tensors.get(tensor);
  const handle = await open(stored?.file ?? '', 'r+');
  await handle.write(new Uint8Array(Float32Array.from(values).buffer), 0, 4 * values.length, stored?.begin ?? 0);
  await handle.close();
}

it('a NaN among the weights is an error for each picture, and no caption', async () => {
  await poke('language_model.model.decoder.layers.0.fc1.weight', [Number.NaN]);
  const pictures = ['shape-00.png', 'shape-05.png'].map((name) => join(DEMO, 'pictures', name));
  const { code, stdout, stderr } = await command('blip2-run', [...pictures, '-m', model, '-q']);
  expect({ code, stdout }).toEqual({ code: 4, stdout: '' });
  expect(stderr.match(/\[LOGITS_NOT_FINITE\]/g)).toHaveLength(2);
  expect(stderr).toContain('after the prompt');
});

it('convert says how many values have become infinite', async () => {
  await poke('language_model.model.decoder.layers.0.fc1.weight', [1e6, -7e4, 65519, 65520, Number.NaN, Infinity]);
  const args = ['convert', model, join(folder, 'out'), '--dtype', 'float16', '--json'];
  const { code, stdout, stderr } = await command('blip2-shard', args);
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ overflowedValues: 3 });
  expect(stderr).toMatch(/warning: 3 values are beyond float16.*\[VALUES_OVERFLOW\]/);
  expect(await readdir(join(folder, 'out'))).toContain('config.json');
});
