import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { withPokedTensor } from '../golden/poked-checkpoint.js';
import { command, DEMO, ROOT } from './command.js';

const MODEL = join(ROOT, DEMO);
const WEIGHT = 'language_model.model.decoder.layers.0.fc1.weight';

it('a NaN among the weights is an error for each picture, and no caption', async () => {
  await using poked = await withPokedTensor(MODEL, WEIGHT, [Number.NaN]);
  const pictures = ['shape-00.png', 'shape-05.png'].map((name) => join(DEMO, 'pictures', name));
  const { code, stdout, stderr } = await command('blip2-run', [...pictures, '-m', poked.folder, '-q']);
  expect({ code, stdout }).toEqual({ code: 4, stdout: '' });
  expect(stderr.match(/\[LOGITS_NOT_FINITE\]/g)).toHaveLength(2);
  expect(stderr).toContain('after the prompt');
});

it('convert says how many values have become infinite', async () => {
  await using poked = await withPokedTensor(MODEL, WEIGHT, [1e6, -7e4, 65519, 65520, Number.NaN, Infinity]);
  const out = `${poked.folder}-out`;
  const args = ['convert', poked.folder, out, '--dtype', 'float16', '--json'];
  const { code, stdout, stderr } = await command('blip2-shard', args);
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ overflowedValues: 3 });
  expect(stderr).toMatch(/warning: 3 values are beyond the new dtype.*float16.*\[VALUES_OVERFLOW\]/);
  expect(await readdir(out)).toContain('config.json');
});
