/** InstructBLIP and retrieval from picture files and texts on, as transformers' processors and models answer. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openCheckpoint } from '../../src/loader/index.js';
import { blip2Blocks } from '../../src/model/blocks.js';
import { parseRetrievalConfig } from '../../src/model/blip2-config.js';
import type { Device } from '../../src/planner/map/device-map.js';
import { createCaptioner } from '../../src/runtime/captioner/captioner.js';
import { createMatcher } from '../../src/runtime/captioner/matcher.js';
import { retrievalSessions } from '../../src/runtime/session/cpu/retrieval-sessions.js';
import { similarity } from '../../src/runtime/engine/similarity.js';
import { cpuOptions } from '../../src/runtime/session/cpu/cpu-options.js';
import { DEMO, GOLDENS, maxDifference } from './golden.js';
import { expectRecordedScores } from './recorded-scores.js';

const TOLERANCE = 1e-4;
const OPTIONS = { threads: 1, inProcess: true };
const pictureOf = ({ picture }: { readonly picture: string }): string => join(DEMO, 'pictures', picture);
const readEntries = async (name: string): Promise<unknown> =>
  JSON.parse(await readFile(join(GOLDENS, name, 'end-to-end.json'), 'utf8'));

describe.each(['tiny-instructblip-llama', 'tiny-instructblip-t5'])('%s', (name) => {
  it('answers instructions as transformers does, one by one and in one batch', async () => {
    const entries = (await readEntries(name)) as { picture: string; prompt: string; ids: number[]; text: string }[];
    await using captioner = await createCaptioner(await openCheckpoint(join(GOLDENS, name)), OPTIONS);
    for (const batchSize of [1, entries.length]) {
      const asked = entries.map((entry) => ({ image: pictureOf(entry), prompt: entry.prompt }));
      const answers = [];
      for await (const { answers: found, text } of captioner.caption(asked, { batchSize, maxNewTokens: 10 })) {
        answers.push({ ids: found[0]?.ids, text });
      }
      expect(answers).toEqual(entries.map(({ ids, text }) => ({ ids, text })));
    }
  });
});

/** Rows of one width, one after the other. */
function joined(rows: readonly Float32Array[]): Float32Array {
  const width = rows[0]?.length ?? 0;
  const all = new Float32Array(rows.length * width);
  rows.forEach((row, index) => all.set(row, index * width));
  return all;
}

interface Compared {
  readonly picture: string;
  readonly text: string;
  readonly probability: number;
  readonly similarity: number;
  readonly image_embeds: number[];
  readonly text_embeds: number[];
}

describe('tiny-retrieval', () => {
  const folder = join(GOLDENS, 'tiny-retrieval');

  it('matches and embeds pictures and several texts at once as transformers does one by one', async () => {
    await using matcher = await createMatcher(await openCheckpoint(folder), OPTIONS);
    const entries = (await readEntries('tiny-retrieval')) as Compared[];
    const texts = entries.map((entry) => entry.text);
    const embeddings = await matcher.embedTexts(texts);
    for (const [index, entry] of entries.entries()) {
      const matches = await matcher.match(pictureOf(entry), texts);
      expect(matches.map((each) => each.text)).toEqual(texts);
      const match = matches[index];
      expect(match?.probability).toBeCloseTo(entry.probability, 4);
      expect(match?.similarity).toBeCloseTo(entry.similarity, 4);
      const image = await matcher.embedImage(pictureOf(entry));
      expect(maxDifference(joined(image), Float32Array.from(entry.image_embeds))).toBeLessThan(TOLERANCE);
      const { vector, words } = embeddings[index] ?? { vector: new Float32Array(), words: [] };
      expect(maxDifference(joined(words), Float32Array.from(entry.text_embeds))).toBeLessThan(TOLERANCE);
      expect(similarity(image, vector)).toBeCloseTo(entry.similarity, 4);
    }
  });

  it('gives the recorded scores of a padded batch, whole and cut in two after every block', async () => {
    const checkpoint = await openCheckpoint(folder);
    const config = parseRetrievalConfig(checkpoint.config);
    const blocks = blip2Blocks(config).map((block) => block.name);
    for (const cut of blocks.keys()) {
      await using sessions = await retrievalSessions({
        config,
        tensors: checkpoint.tensors,
        placeOf: (block) => (blocks.indexOf(block.name) <= cut ? 0 : 1),
        optionsOf: (_, weights) => cpuOptions(weights, { threads: 1 }),
      });
      await expectRecordedScores(sessions);
    }
  });

  it('runs where a device map says', async () => {
    const plan = new Map<string, Device>([
      ['', 'cpu'],
      ['qformer', 0],
    ]);
    await using matcher = await createMatcher(await openCheckpoint(folder), {
      ...OPTIONS,
      plan,
      emulateGpu: true,
    });
    const [entry] = (await readEntries('tiny-retrieval')) as Compared[];
    if (entry === undefined) throw new Error('nothing recorded');
    const [match] = await matcher.match(pictureOf(entry), [entry.text]);
    expect(match?.probability).toBeCloseTo(entry.probability, 4);
  });

  it('is no captioner, and a captioner no matcher', async () => {
    await expect(createCaptioner(await openCheckpoint(folder), OPTIONS)).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
    });
    await expect(createMatcher(await openCheckpoint(DEMO))).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });
});
