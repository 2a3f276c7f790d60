/** The demo pictures, against what Pillow made of them when the other goldens were recorded. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { decodePicture } from '../../src/runtime/image/decode-picture.js';
import { preparePixels, resizeBicubic } from './prepare-pixels.js';
import { parsePreprocessorConfig } from '../../src/runtime/image/preprocessor-config.js';
import { DEMO, GOLDENS, readTensors } from './golden.js';

const SIDE = 96;
const config = parsePreprocessorConfig(JSON.parse(readFileSync(join(DEMO, 'preprocessor_config.json'), 'utf8')));
const entries = JSON.parse(readFileSync(join(GOLDENS, 'demo/goldens.json'), 'utf8')) as { image: string }[];
const recorded = (await readTensors(join(GOLDENS, 'demo/goldens.safetensors'))).get('pixel_values_pillow')?.data;
if (!(recorded instanceof Float32Array)) throw new Error('the recorded pixels are not float32');

describe('the demo pictures', () => {
  it.each(entries.map(({ image }, index) => ({ image, index })))('$image', async ({ image, index }) => {
    const expected = recorded.subarray(index * 3 * SIDE * SIDE, (index + 1) * 3 * SIDE * SIDE);
    const path = join(DEMO, 'pictures', image);

    // The recorder normalised in double precision, so its values differ in the last bit; the levels behind them may not.
    const { data: levels } = resizeBicubic(await decodePicture(path), SIDE, SIDE);
    const { mean, std } = config.normalize ?? { mean: [], std: [] };
    const expectedLevels = Uint8Array.from(levels, (_, i) => {
      const channel = i % 3;
      const value = expected[channel * SIDE * SIDE + Math.floor(i / 3)] ?? Number.NaN;
      return Math.round((value * (std[channel] ?? 1) + (mean[channel] ?? 0)) * 255);
    });
    expect(levels).toEqual(expectedLevels);

    const { data, height, width } = await preparePixels(path, config);
    expect([height, width]).toEqual([SIDE, SIDE]);
    expect(data.reduce((most, value, i) => Math.max(most, Math.abs(value - (expected[i] ?? 0))), 0)).toBeLessThan(3e-7);
  });
});
