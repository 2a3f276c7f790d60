/** The demo checkpoint on recorded pixels: the ids of transformers for every picture, caption and question. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openCheckpoint } from '../../src/loader/index.js';
import { Blip2Sessions } from '../../src/runtime/session/blip2-sessions.js';
import { DEMO, floats, GOLDENS, greedy, readTensors, sourcesOf, tensorOf } from './golden.js';

interface Answer {
  readonly prompt_ids: readonly number[];
  readonly ids: readonly number[];
}

interface Entry {
  readonly image: string;
  readonly caption: Answer;
  readonly vqa: Answer;
}

describe('demo', () => {
  it('gives the caption and answer ids of transformers for all 16 pictures', async () => {
    const recorded = join(GOLDENS, 'demo');
    const entries = JSON.parse(await readFile(join(recorded, 'goldens.json'), 'utf8')) as Entry[];
    const pixels = tensorOf(await readTensors(join(recorded, 'goldens.safetensors')), 'pixel_values_pillow');
    const sources = sourcesOf(await openCheckpoint(DEMO));
    await using sessions = await Blip2Sessions.create(sources);
    const pictureSize = pixels.size / entries.length;
    expect(entries).toHaveLength(16);
    for (const [index, entry] of entries.entries()) {
      const own = floats(pixels).subarray(index * pictureSize, (index + 1) * pictureSize);
      const prefix = await sessions.encodeImages(own, [1, ...pixels.dims.slice(1)]);
      for (const answer of [entry.caption, entry.vqa]) {
        const prompt = { prefix, textIds: [answer.prompt_ids], textMask: [answer.prompt_ids.map(() => 1)] };
        const stop = { eos: sources.config.text.eosTokenIds[0] ?? -1, pad: sources.config.text.padTokenId };
        const [ids] = await greedy(sessions.tokens(prompt), { max_new_tokens: 40 }, stop);
        expect(ids, entry.image).toEqual(answer.ids);
      }
    }
  });
});
