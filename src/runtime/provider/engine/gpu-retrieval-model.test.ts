/** Comparing pictures with texts on the CPU as devices: the scores and vectors of transformers, wherever weights are. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { floats, GOLDENS, maxDifference, readTensors, rowsOf, tensorOf } from '../../../../test/golden/golden.js';
import { hostPlaces, type HostDevices } from '../../../../test/golden/open-on-host.js';
import { openCheckpoint } from '../../../loader/index.js';
import { parseRetrievalConfig } from '../../../model/blip2-config.js';
import { blip2Blocks } from '../../../model/blocks.js';
import { pictureGrid } from '../../graph/picture-grid.js';
import { GpuRetrievalModel } from './gpu-retrieval-model.js';

const TOLERANCE = 1e-4;
const folder = join(GOLDENS, 'tiny-retrieval');
const checkpoint = await openCheckpoint(folder);
const config = parseRetrievalConfig(checkpoint.config);
const blocks = blip2Blocks(config).map(({ name }) => name);
const CASES: readonly [string, (block: string) => boolean, HostDevices][] = [
  ['resident', () => true, {}],
  ['streamed', () => false, {}],
  [
    'over two devices in turns',
    (block) => !block.includes('layers.1'),
    { deviceOf: (block) => blocks.indexOf(block) % 2 },
  ],
];

describe('tiny-retrieval on a device', () => {
  it.each(CASES)('gives the recorded scores of a padded batch, %s', async (_, isResident, devices) => {
    await using model = await GpuRetrievalModel.open({
      config,
      tensors: checkpoint.tensors,
      picture: await pictureGrid(config.vision, undefined, () => Promise.reject(new Error('no other size'))),
      placeOf: hostPlaces(isResident, devices),
    });
    const recorded = await readTensors(join(folder, 'goldens.safetensors'));
    const pixels = tensorOf(recorded, 'pixel_values');
    const words = { ids: rowsOf(tensorOf(recorded, 'input_ids')), mask: rowsOf(tensorOf(recorded, 'attention_mask')) };
    const vision = await model.see(floats(pixels), pixels.dims);
    const difference = (name: string, ours: Float32Array) => maxDifference(ours, floats(tensorOf(recorded, name)));
    expect(difference('match_logits', floats(await model.match(vision, words)))).toBeLessThan(TOLERANCE);
    expect(difference('image_embeds', floats(await model.embedImages(vision)))).toBeLessThan(TOLERANCE);
    const texts = await model.embedTexts(words);
    const [rows = 0, length = 0, width = 0] = texts.dims;
    const theirs = floats(tensorOf(recorded, 'text_row_embeds'));
    for (let row = 0; row < rows; row++) {
      const shown = (words.mask[row] ?? []).filter((value) => value === 1).length * width;
      const from = row * length * width;
      const ours = floats(texts).subarray(from, from + shown);
      expect(maxDifference(ours, theirs.subarray(from, from + shown))).toBeLessThan(TOLERANCE);
    }
  });
});
