import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { processorSize } from './processor-size.js';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'processor-size-'));
});
afterEach(async () => rm(folder, { recursive: true, force: true }));

const said = async (settings: object, file = 'preprocessor_config.json') => {
  await writeFile(join(folder, file), JSON.stringify(settings));
  return processorSize(folder);
};

// As published for SegFormer, ResNet before transformers 4.26, DETR, MobileNet v2, SAM and Qwen2-VL (an area), and what transformers 5 writes.
it.each([
  [
    { do_resize: true, size: { height: 512, width: 512 } },
    { height: 512, width: 512 },
  ],
  [
    { do_resize: true, crop_pct: 0.875, size: 224 },
    { height: 224, width: 224 },
  ],
  [{ size: { shortest_edge: 800, longest_edge: 1333 } }, { height: 800, width: 1333 }],
  [
    { do_center_crop: true, crop_size: { height: 224, width: 224 }, size: { shortest_edge: 256 } },
    { height: 224, width: 224 },
  ],
  [{ size: { longest_edge: 1024 } }, { height: 1024, width: 1024 }],
  [{ size: { max_height: 800, max_width: 1333 } }, { height: 800, width: 1333 }],
  [{ size: { shortest_edge: 3136, longest_edge: 12_845_056 } }, null],
  [{ size: { height: Number.MAX_SAFE_INTEGER, width: 16 } }, null],
  [{ size: { shortest_edge: null, height: '512' } }, null],
  [{ do_resize: false, size: { height: 512, width: 512 } }, null],
  [{ size: { height: '512', width: 512 } }, null],
])('reads %j', async (settings, size) => {
  expect(await said(settings)).toEqual(size);
});

it('takes the file of transformers 5 first where it is about pictures', async () => {
  await said({ size: { height: 1, width: 1 } });
  expect(await said({ processor_class: 'TextProcessor' }, 'processor_config.json')).toEqual({ height: 1, width: 1 });
  const image_processor = { size: { height: 384, width: 384 } };
  expect(await said({ image_processor }, 'processor_config.json')).toEqual({ height: 384, width: 384 });
});

it('answers nothing where there is no file, or none that can be read', async () => {
  expect(await processorSize(folder)).toBe(null);
  await writeFile(join(folder, 'preprocessor_config.json'), '{');
  expect(await processorSize(folder)).toBe(null);
});
