/** Checkpoints whose processors transformers 5 has saved: no preprocessor_config.json, the same answers. */
import { copyFile, cp, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { openCheckpoint } from '../../src/loader/index.js';
import { createCaptioner } from '../../src/runtime/captioner/captioner.js';
import { createMatcher } from '../../src/runtime/captioner/matcher.js';
import { DEMO, GOLDENS } from './golden.js';

const PROCESSORS = join(GOLDENS, '../processors');
const OPTIONS = { threads: 1, inProcess: true };

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'blip2-processors-'));
});
afterEach(() => rm(folder, { recursive: true }));

/** The weights and configuration of one, with the processor's files of the other. */
async function saved(checkpoint: string, name: string): Promise<void> {
  const own = /^(config|generation_config|model.*)\.(json|safetensors)$|\.index\.json$/;
  for (const file of await readdir(checkpoint)) {
    if (own.test(file)) await copyFile(join(checkpoint, file), join(folder, file));
  }
  await cp(join(PROCESSORS, name), folder, { recursive: true });
}

const readJson = async (path: string): Promise<unknown> => JSON.parse(await readFile(path, 'utf8'));
const picture = (name: string): string => join(DEMO, 'pictures', name);

const demoSchema = z.array(z.object({ image: z.string(), caption: z.object({ text: z.string() }) }));
const askedSchema = z.array(z.object({ picture: z.string(), prompt: z.string(), text: z.string() }));
const matchedSchema = z.array(z.object({ picture: z.string(), text: z.string(), probability: z.number() }));

describe('processors as transformers 5 saves them', () => {
  it.each(['model.safetensors.index.json', ''])('BLIP-2, opened as "%s"', async (file) => {
    await saved(DEMO, 'demo');
    const entries = demoSchema.parse(await readJson(join(GOLDENS, 'demo/goldens.json')));
    await using captioner = await createCaptioner(await openCheckpoint(join(folder, file)), OPTIONS);
    const texts = [];
    for await (const { text } of captioner.caption(entries.map(({ image }) => picture(image)))) texts.push(text);
    expect(texts).toEqual(entries.map(({ caption }) => caption.text));
    expect(texts.length).toBeGreaterThan(10);
  });

  it.each(['', 'model.safetensors'])('InstructBLIP, opened as "%s"', async (file) => {
    await saved(join(GOLDENS, 'tiny-instructblip-llama'), 'tiny-instructblip-llama');
    const entries = askedSchema.parse(await readJson(join(GOLDENS, 'tiny-instructblip-llama/end-to-end.json')));
    await using captioner = await createCaptioner(await openCheckpoint(join(folder, file)), OPTIONS);
    const asked = entries.map((entry) => ({ image: picture(entry.picture), prompt: entry.prompt }));
    const texts = [];
    for await (const { text } of captioner.caption(asked, { maxNewTokens: 10 })) texts.push(text);
    expect(texts).toEqual(entries.map(({ text }) => text));
  });

  it.each(['', 'model.safetensors'])('retrieval, opened as "%s"', async (file) => {
    await saved(join(GOLDENS, 'tiny-retrieval'), 'tiny-retrieval');
    const entries = matchedSchema.parse(await readJson(join(GOLDENS, 'tiny-retrieval/end-to-end.json')));
    await using matcher = await createMatcher(await openCheckpoint(join(folder, file)), OPTIONS);
    for (const { picture: name, text, probability } of entries) {
      const [match] = await matcher.match(picture(name), [text]);
      expect(match?.probability).toBeCloseTo(probability, 4);
    }
  });
});
