/** What transformers' retrieval model said of a padded batch, and a model of ours on the same. */
import { join } from 'node:path';
import { expect } from 'vitest';
import type { RetrievalModel } from '../../src/runtime/session/model/retrieval-model.js';
import { floats, GOLDENS, maxDifference, readTensors, rowsOf, tensorOf } from './golden.js';

export async function expectRecordedScores(model: RetrievalModel, tolerance = 1e-4): Promise<void> {
  const recorded = await readTensors(join(GOLDENS, 'tiny-retrieval', 'goldens.safetensors'));
  const pixels = tensorOf(recorded, 'pixel_values');
  const words = { ids: rowsOf(tensorOf(recorded, 'input_ids')), mask: rowsOf(tensorOf(recorded, 'attention_mask')) };
  const vision = await model.see(floats(pixels), pixels.dims);
  const difference = (name: string, ours: Float32Array) => maxDifference(ours, floats(tensorOf(recorded, name)));
  expect(difference('match_logits', floats(await model.match(vision, words)))).toBeLessThan(tolerance);
  expect(difference('image_embeds', floats(await model.embedImages(vision)))).toBeLessThan(tolerance);
  const texts = await model.embedTexts(words);
  const [rows = 0, length = 0, width = 0] = texts.dims;
  const theirs = floats(tensorOf(recorded, 'text_row_embeds'));
  for (let row = 0; row < rows; row++) {
    const shown = (words.mask[row] ?? []).filter((value) => value === 1).length * width;
    const from = row * length * width;
    const ours = floats(texts).subarray(from, from + shown);
    expect(maxDifference(ours, theirs.subarray(from, from + shown))).toBeLessThan(tolerance);
  }
}
