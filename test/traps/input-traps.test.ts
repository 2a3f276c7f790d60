/** What a reader of BLIP-2 gets wrong first, one test per trap: here in pictures, prompts and generation. */
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openCheckpoint } from '../../src/loader/index.js';
import { parseBlip2Config } from '../../src/model/blip2-config.js';
import { createCaptioner } from '../../src/runtime/captioner/captioner.js';
import type { CaptionOptions } from '../../src/runtime/engine/captioner-options.js';
import { generate } from '../../src/runtime/generation/generate.js';
import { resolveGenerationOptions } from '../../src/runtime/generation/generation-options.js';
import type { TokenSource } from '../../src/runtime/generation/token-source.js';
import { preparePixels } from '../golden/prepare-pixels.js';
import { parsePreprocessorConfig } from '../../src/runtime/image/preprocessor-config.js';
import { blip2Sessions } from '../../src/runtime/session/cpu/blip2-sessions.js';
import { preparePrompts } from '../../src/runtime/engine/text/prompts.js';
import { createTokenizer } from '../../src/runtime/engine/text/tokenizer.js';
import {
  DEMO,
  floats,
  goldenSources,
  GOLDENS,
  promptOf,
  readRecording,
  readTensors,
  tensorOf,
} from '../golden/golden.js';

const json = async (...path: string[]): Promise<unknown> => JSON.parse(await readFile(join(...path), 'utf8'));
interface Entry {
  readonly image: string;
  readonly caption: { readonly ids: number[]; readonly text: string };
}
const entries = ((await json(GOLDENS, 'demo/goldens.json')) as Entry[]).slice(0, 4);
const pictures = entries.map(({ image }) => join(DEMO, 'pictures', image));

/** Captions of the demo's pictures with a file of the checkpoint replaced. */
async function captions(folder: string, options: CaptionOptions = {}) {
  await using captioner = await createCaptioner(await openCheckpoint(folder), { threads: 1, inProcess: true });
  const found = [];
  for await (const { answers, text } of captioner.caption(pictures, { maxNewTokens: 40, ...options })) {
    found.push({ ids: answers[0]?.ids, finish: answers[0]?.finish, text });
  }
  return found;
}
const recorded = entries.map(({ caption: { ids, text } }) => ({ ids, finish: 'stop', text }));

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'blip2-traps-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

/** The demo with one file changed; the weights are linked. */
async function demoWith(file: string, change: (document: object) => object): Promise<string> {
  const copy = join(folder, file.replace('.json', ''));
  const skip = /pictures|safetensors$|train\.py/;
  await cp(DEMO, copy, { recursive: true, filter: (path) => path === DEMO || !skip.test(path.slice(DEMO.length)) });
  for (const shard of [1, 2, 3]) {
    const name = `model-0000${shard}-of-00003.safetensors`;
    await symlink(join(DEMO, name), join(copy, name));
  }
  await writeFile(join(copy, file), JSON.stringify(change((await json(copy, file)) as object)));
  return copy;
}

describe('traps of pictures', () => {
  it("3: the size comes from preprocessor_config.json; the class's own default is 384", () => {
    expect(parsePreprocessorConfig({}).size).toEqual({ height: 384, width: 384 });
    const size = { height: 224, width: 224 };
    expect(parsePreprocessorConfig({ size }).size).toEqual(size);
  });

  it("18: pictures are resized as Pillow does it, which sharp's own resize is not", async () => {
    const name = 'shape-01.png';
    const config = parsePreprocessorConfig(await json(DEMO, 'preprocessor_config.json'));
    const recordedPixels = await readTensors(join(GOLDENS, 'demo/goldens.safetensors'));
    const values = 3 * 96 * 96;
    const pillow = floats(tensorOf(recordedPixels, 'pixel_values_pillow')).subarray(values, 2 * values);
    const error = ({ data }: { readonly data: Float32Array }) =>
      data.reduce((most, value, i) => Math.max(most, Math.abs(value - (pillow[i] ?? Number.NaN))), 0);
    const path = join(DEMO, 'pictures', name);
    expect(error(await preparePixels(path, config))).toBeLessThan(1e-6);
    const resized = await sharp(path).removeAlpha().resize(96, 96, { fit: 'fill', kernel: 'cubic' }).png().toBuffer();
    expect(error(await preparePixels(resized, config))).toBeGreaterThan(1 / 255);
  });
});

describe('traps of prompts', async () => {
  const tokenizer = createTokenizer(await json(DEMO, 'tokenizer.json'), await json(DEMO, 'tokenizer_config.json'));
  const demo = parseBlip2Config(await json(DEMO, 'config.json'));

  it("4: OPT stops at text_config's eos_token_id; the tokenizer's eos is BOS", async () => {
    const tokenizerConfig = (await json(DEMO, 'tokenizer_config.json')) as Record<string, unknown>;
    expect(tokenizerConfig['eos_token']).toBe(tokenizerConfig['bos_token']);
    expect(demo.text.eosTokenIds).not.toContain(demo.text.bosTokenId);
    const found = await captions(DEMO);
    expect(found).toEqual(recorded);
    expect(found.map(({ ids }) => ids?.at(-1))).toEqual(found.map(() => demo.text.eosTokenIds[0]));
  });

  it('5: the outer generation_config.json is not obeyed', async () => {
    const other = { eos_token_id: recorded[0]?.ids[1], max_new_tokens: 1, num_beams: 4, repetition_penalty: 9 };
    expect(await captions(await demoWith('generation_config.json', (document) => ({ ...document, ...other })))).toEqual(
      recorded,
    );
  });

  it('6: transformers echoes the prompt of OPT and the start id of T5; answers here are the new ids', async () => {
    for (const name of ['tiny-opt', 'tiny-flan-t5']) {
      const sources = await goldenSources(name);
      const recording = await readRecording(name, 'batch');
      const { textIds, textMask } = promptOf(recording, sources.config.numQueryTokens);
      const placeholders = Array<number>(sources.config.numQueryTokens).fill(sources.config.imageTokenId ?? -1);
      const inputs = textIds.map((row) => [...placeholders, ...row]);
      await using sessions = await blip2Sessions(sources);
      const source = sessions.tokens({ prefix: tensorOf(recording.tensors, 'language_input'), textIds, textMask });
      const request = { contextIds: inputs, eosTokenIds: sources.config.text.eosTokenIds };
      const generated = await generate(source, request, { maxNewTokens: 16 });
      const whole = recording.answers['greedy']?.ids ?? [];
      generated.forEach(([sequence], row) => {
        const echo = name === 'tiny-opt' ? (inputs[row] ?? []) : [0];
        const ids = [...echo, ...(sequence?.ids ?? [])];
        expect(whole[row]?.slice(0, ids.length)).toEqual(ids);
      });
    }
  });

  it('7: without a prompt the text is BOS alone, which for T5 is </s>', () => {
    const t5 = parseBlip2Config({ model_type: 'blip-2', text_config: { model_type: 't5', bos_token_id: 1 } });
    expect(preparePrompts([null], tokenizer, demo).textIds).toEqual([[demo.text.bosTokenId]]);
    expect(preparePrompts([null], tokenizer, t5).textIds).toEqual([[1]]);
  });

  it('8: a picture is never silently ignored: placeholders are not the business of prompts', async () => {
    expect(() => preparePrompts(['<image> of'], tokenizer, demo)).toThrow('placeholder');
    const found = await captions(DEMO, { prompt: 'a' });
    expect(new Set(found.map(({ text }) => text)).size).toBeGreaterThan(1);
  });

  it('9: a checkpoint without image_token_index captions as one with it', async () => {
    const legacy = await demoWith('config.json', (document) => {
      const { image_token_index: _, ...rest } = document as Record<string, unknown>;
      return rest;
    });
    expect(parseBlip2Config(await json(legacy, 'config.json')).imageTokenId).toBeNull();
    expect(await captions(legacy)).toEqual(recorded);
  });

  it('10: OPT is padded between picture and text, T5 on the right, where its positions stay', async () => {
    for (const name of ['tiny-opt', 'tiny-flan-t5']) {
      const sources = await goldenSources(name);
      const recording = await readRecording(name, 'padded_batch');
      const { textIds, textMask } = promptOf(recording, sources.config.numQueryTokens);
      await using sessions = await blip2Sessions(sources);
      const first = async (ids: readonly number[][], mask: readonly number[][]) => {
        const prefix = tensorOf(recording.tensors, 'language_input');
        return (await sessions.tokens({ prefix, textIds: ids, textMask: mask }).prefill()).slice(
          0,
          sources.config.text.vocabSize,
        );
      };
      const asRecorded = await first(textIds, textMask);
      const mirrored = await first(
        textIds.map((row, i) => turned(row, textMask[i])),
        textMask.map((row) => turned(row, row)),
      );
      const moved = asRecorded.reduce((most, value, i) => Math.max(most, Math.abs(value - (mirrored[i] ?? 0))), 0);
      // Padding on the other side moves T5's positions; and OPT's last row would be padding.
      expect(moved, name).toBeGreaterThan(1e-3);
    }
  });
});

describe('traps of generation', () => {
  it('20: beams penalise log-probabilities, greedy raw logits; sampling has top_k 50 unless told', async () => {
    const logits = Float32Array.of(-1, -1.9, -9);
    const source: TokenSource = {
      vocabSize: logits.length,
      prefill: () => Promise.resolve(logits),
      advance: (ids) => Promise.reject(new Error(`one token is enough, not ${ids.length} more`)),
    };
    const request = { contextIds: [[0]], eosTokenIds: [] };
    const next = async (options: object) =>
      (await generate(source, request, { maxNewTokens: 1, repetitionPenalty: 2, ...options }))[0]?.[0]?.ids;
    // Raw: -1 becomes -2, behind -1.9. Log-probabilities: -0.34 becomes -0.68, still before -1.24.
    expect(await next({})).toEqual([1]);
    expect(await next({ numBeams: 2 })).toEqual([0]);
    expect(resolveGenerationOptions({ doSample: true }, { eosTokenIds: [], vocabSize: 100 }).strategy).toMatchObject({
      topK: 50,
    });
  });
});

/** Padding moved to the other end. */
function turned(row: readonly number[], mask: readonly number[] = []): number[] {
  const shown = row.filter((_, i) => mask[i] === 1);
  const padding = row.filter((_, i) => mask[i] !== 1);
  return mask[0] === 1 ? [...padding, ...shown] : [...shown, ...padding];
}
