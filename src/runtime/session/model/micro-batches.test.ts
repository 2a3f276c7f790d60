import { describe, expect, it } from 'vitest';
import { floats, goldenSources, readRecording, tensorOf, wordsOf } from '../../../../test/golden/golden.js';
import { blip2Sessions } from '../cpu/blip2-sessions.js';
import { microBatches } from './micro-batches.js';

const words = {
  ids: [
    [1, 2],
    [3, 4],
    [5, 0],
  ],
  mask: [
    [1, 1],
    [1, 1],
    [1, 0],
  ],
} as const;

describe('micro-batches', () => {
  it('are the pictures in their order, with what is asked of each, and copy nothing', () => {
    const pixels = Float32Array.from({ length: 3 * 2 }, (_, i) => i);
    const batches = microBatches({ pixels, shape: [3, 1, 1, 2], words }, 2);
    expect(batches.map(({ shape }) => shape)).toEqual([
      [2, 1, 1, 2],
      [1, 1, 1, 2],
    ]);
    expect(batches.map((batch) => [...batch.pixels])).toEqual([
      [0, 1, 2, 3],
      [4, 5],
    ]);
    expect(batches.every((batch) => batch.pixels.buffer === pixels.buffer)).toBe(true);
    expect(batches.flatMap((batch) => batch.words?.ids ?? [])).toEqual(words.ids);
    expect(batches.flatMap((batch) => batch.words?.mask ?? [])).toEqual(words.mask);
    expect(microBatches({ pixels, shape: [3, 1, 1, 2], words: undefined }, 8)).toHaveLength(1);
  });

  it.each(['tiny-opt', 'tiny-instructblip-t5'])('give sessions what transformers gives to all of %s', async (name) => {
    const recording = await readRecording(name, 'padded_batch');
    const expected = floats(tensorOf(recording.tensors, 'language_input'));
    const pixels = tensorOf(recording.tensors, 'pixel_values');
    expect(pixels.dims[0]).toBeGreaterThan(1);
    await using sessions = await blip2Sessions(await goldenSources(name), 1);
    const made = await sessions.encodeImages(floats(pixels), pixels.dims, wordsOf(recording));
    expect(made.dims[0]).toBe(pixels.dims[0]);
    const rows = floats(made);
    expect(rows).toHaveLength(expected.length);
    for (const [index, value] of rows.entries()) expect(value).toBeCloseTo(expected[index] ?? Number.NaN, 4);
  });
});
