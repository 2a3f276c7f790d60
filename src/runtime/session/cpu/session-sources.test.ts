import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import * as z from 'zod';
import { safetensorsBytes } from '../../../../test/loader/safetensors-bytes.js';
import { openCheckpoint } from '../../../loader/index.js';
import { createCaptioner } from '../../captioner/captioner.js';

const DEMO = resolve('models/demo');
const INDEX = 'model.safetensors.index.json';
const indexSchema = z.looseObject({ weight_map: z.record(z.string(), z.string()) });

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'blip2-float64-'));
  await cp(DEMO, folder, { recursive: true, filter: (path) => !path.includes('pictures') });
});
afterEach(() => rm(folder, { recursive: true }));

/** The demo with a tensor of float64 in a file of its own, in place of its own one of that name or beside it. */
async function withFloat64(name: string, count: number): Promise<void> {
  const bytes = Buffer.from(new Float64Array(count).buffer);
  await writeFile(join(folder, 'wide.safetensors'), safetensorsBytes([{ name, dtype: 'F64', shape: [count], bytes }]));
  const index = indexSchema.parse(JSON.parse(await readFile(join(DEMO, INDEX), 'utf8')));
  index.weight_map[name] = 'wide.safetensors';
  await writeFile(join(folder, INDEX), JSON.stringify(index));
}

async function caption(): Promise<string[]> {
  await using captioner = await createCaptioner(await openCheckpoint(folder), { threads: 1, inProcess: true });
  const texts: string[] = [];
  for await (const { text } of captioner.caption(join(DEMO, 'pictures/shape-02.png'))) texts.push(text);
  return texts;
}

it('leaves alone what the model does not have, whatever its dtype', async () => {
  await withFloat64('training.step', 3);
  expect(await caption()).toEqual(['a small purple square on a white background']);
});

it('names a weight of float64, and what makes it readable', async () => {
  const name = 'vision_model.post_layernorm.bias';
  await withFloat64(name, 128);
  await expect(caption()).rejects.toMatchObject({
    code: 'TENSOR_DTYPE',
    message: expect.stringContaining(`${name} is stored as F64`),
    hint: expect.stringContaining('dtype=torch.float32'),
  });
});
