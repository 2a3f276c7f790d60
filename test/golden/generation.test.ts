/** `generate` over real sessions: every recorded generation setting, and the demo from picture files to text. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openCheckpoint } from '../../src/loader/index.js';
import { generate } from '../../src/runtime/generation/generate.js';
import type { GenerationOptions } from '../../src/runtime/generation/generation-options.js';
import { preparePixels } from './prepare-pixels.js';
import { parsePreprocessorConfig } from '../../src/runtime/image/preprocessor-config.js';
import { blip2Sessions } from '../../src/runtime/session/cpu/blip2-sessions.js';
import { answerText, preparePrompts } from '../../src/runtime/engine/text/prompts.js';
import { createTokenizer } from '../../src/runtime/engine/text/tokenizer.js';
import { BATCHES, CHECKPOINTS, DEMO, goldenSources, GOLDENS, readRecording, sourcesOf } from './golden.js';
import { recordedGeneration } from './recorded-generation.js';

describe.each(CHECKPOINTS)('%s', (name) => {
  it.each(BATCHES)('%s: ids of every generation setting', async (batch) => {
    const sources = await goldenSources(name);
    await using sessions = await blip2Sessions(sources);
    const { prompt, request, settings } = recordedGeneration(sources.config, await readRecording(name, batch));
    expect(settings).toHaveLength(5);
    for (const { name: setting, options, ids } of settings) {
      const result = await generate(sessions.tokens(prompt), request, options);
      expect(
        result.map(([sequence]) => sequence?.ids),
        setting,
      ).toEqual(ids);
    }
  });
});

interface DemoAnswer {
  readonly prompt: string | null;
  readonly prompt_ids: number[];
  readonly ids: number[];
  readonly beam5_ids: number[];
  readonly text: string;
}

describe('demo', () => {
  it('gives the ids and texts of transformers, greedy and with five beams, from the picture files on', async () => {
    const json = async (path: string): Promise<unknown> => JSON.parse(await readFile(path, 'utf8'));
    const entries = (await json(join(GOLDENS, 'demo/goldens.json'))) as Record<'caption' | 'vqa', DemoAnswer>[];
    const tokenizer = createTokenizer(
      await json(join(DEMO, 'tokenizer.json')),
      await json(join(DEMO, 'tokenizer_config.json')),
    );
    const preprocessor = parsePreprocessorConfig(await json(join(DEMO, 'preprocessor_config.json')));
    const sources = sourcesOf(await openCheckpoint(DEMO));
    await using sessions = await blip2Sessions(sources);
    expect(entries).toHaveLength(16);
    for (const entry of entries as (Record<'caption' | 'vqa', DemoAnswer> & { image: string })[]) {
      const pixels = await preparePixels(join(DEMO, 'pictures', entry.image), preprocessor);
      const prefix = await sessions.encodeImages(pixels.data, [1, 3, pixels.height, pixels.width]);
      for (const answer of [entry.caption, entry.vqa]) {
        const { textIds, textMask, contextIds } = preparePrompts([answer.prompt], tokenizer, sources.config);
        expect(textIds).toEqual([answer.prompt_ids]);
        const ask = async (options: GenerationOptions): Promise<readonly number[]> => {
          const source = sessions.tokens({ prefix, textIds, textMask });
          const request = { contextIds, eosTokenIds: sources.config.text.eosTokenIds };
          const [sequences] = await generate(source, request, { maxNewTokens: 40, ...options });
          return sequences?.[0]?.ids ?? [];
        };
        const greedy = await ask({});
        expect(greedy, entry.image).toEqual(answer.ids);
        expect(answerText(greedy, tokenizer)).toBe(answer.text);
        expect(await ask({ numBeams: 5 }), entry.image).toEqual(answer.beam5_ids);
      }
    }
  });
});
