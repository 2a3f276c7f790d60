/** The device programs on the CPU, whose memory stands in for a GPU's: same units, same copies, same caches. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { DEMO, GOLDENS, floats } from '../../../../test/golden/golden.js';
import { openOnHost } from '../../../../test/golden/open-on-host.js';
import { materializeTensors, openCheckpoint } from '../../../loader/index.js';
import { parseBlip2Config } from '../../../model/blip2-config.js';
import { generate } from '../../generation/generate.js';
import type { GenerationOptions } from '../../generation/generation-options.js';
import { webgpuStyle } from '../../graph/gpu/gpu-style.js';
import { preparePixels } from '../../../../test/golden/prepare-pixels.js';
import { parsePreprocessorConfig } from '../../image/preprocessor-config.js';
import { preparePrompts } from '../../engine/text/prompts.js';
import { createTokenizer } from '../../engine/text/tokenizer.js';
import { computedDtypes } from './device/computed-dtypes.js';
import type { SessionKind } from './device/engine-device.js';
import type { GpuModel } from './gpu-model.js';
import { GpuProgram } from './program/gpu-program.js';

interface DemoAnswer {
  readonly prompt: string | null;
  readonly ids: number[];
  readonly beam5_ids: number[];
}

interface DemoEntry {
  readonly image: string;
  readonly caption: DemoAnswer;
  readonly vqa: DemoAnswer;
}

type IsResident = (block: string) => boolean;

const json = async (path: string): Promise<unknown> => JSON.parse(await readFile(path, 'utf8'));
const entries = (await json(join(GOLDENS, 'demo/goldens.json'))) as DemoEntry[];
const { config: configJson, tensors } = await openCheckpoint(DEMO);
const config = parseBlip2Config(configJson);
const tokenizer = createTokenizer(
  await json(join(DEMO, 'tokenizer.json')),
  await json(join(DEMO, 'tokenizer_config.json')),
);
const preprocessor = parsePreprocessorConfig(await json(join(DEMO, 'preprocessor_config.json')));

async function answer(model: GpuModel, pictures: readonly DemoEntry[], asks: readonly DemoAnswer[], options = {}) {
  const pixels = await Promise.all(
    pictures.map(({ image }) => preparePixels(join(DEMO, 'pictures', image), preprocessor)),
  );
  const data = new Float32Array(pixels.flatMap((each) => [...each.data]));
  const [{ width, height } = { width: 0, height: 0 }] = pixels;
  const prefix = await model.encodeImages(data, [pictures.length, 3, height, width]);
  expect(floats(prefix)).toHaveLength(pictures.length * config.numQueryTokens * config.text.hiddenSize);
  const prompts = asks.map(({ prompt }) => prompt);
  const { contextIds, ...text } = preparePrompts(prompts, tokenizer, config);
  const request = { contextIds, eosTokenIds: config.text.eosTokenIds };
  const settings: GenerationOptions = { maxNewTokens: 40, ...options };
  const sequences = await generate(model.tokens({ prefix, ...text }), request, settings);
  return sequences.map(([first]) => first?.ids);
}

const PLACEMENTS: readonly [string, IsResident][] = [
  ['everything resident', () => true],
  ['everything streamed', () => false],
  ['the language model resident', (block) => block.startsWith('language_model')],
  ['every second block resident', (block) => /[02468]$|head$/.test(block)],
];

describe('the demo on a device', () => {
  it.each(PLACEMENTS)('answers as transformers with %s', async (_, isResident) => {
    await using model = await openOnHost(config, tensors, isResident);
    for (const entry of entries.slice(0, 4)) {
      for (const asked of [entry.caption, entry.vqa]) {
        expect(await answer(model, [entry], [asked]), entry.image).toEqual([asked.ids]);
        expect(await answer(model, [entry], [asked], { numBeams: 5 }), entry.image).toEqual([asked.beam5_ids]);
      }
    }
  });

  it('answers as transformers where what stays of a token is recorded between what passes', async () => {
    const device = () => ({ canRecord: true });
    for (const [, isResident] of PLACEMENTS.slice(1)) {
      await using model = await openOnHost(config, tensors, isResident, { device });
      for (const entry of entries.slice(0, 2)) {
        expect(await answer(model, [entry], [entry.caption])).toEqual([entry.caption.ids]);
        expect(await answer(model, [entry], [entry.vqa], { numBeams: 5 })).toEqual([entry.vqa.beam5_ids]);
      }
    }
  });

  it('records a picture and its prompt when they come a second time, once', async () => {
    const asked = vi.spyOn(GpuProgram.prototype, 'mayRecordMore');
    onTestFinished(() => asked.mockRestore());
    await using model = await openOnHost(config, tensors, () => true, { device: () => ({ canRecord: true }) });
    const [entry] = entries;
    if (entry === undefined) throw new Error('no pictures');
    for (const recorded of [0, 2, 2]) {
      expect(await answer(model, [entry], [entry.caption])).toEqual([entry.caption.ids]);
      expect(asked).toHaveBeenCalledTimes(recorded);
    }
    expect(asked.mock.results.map(({ value }) => value as unknown)).toEqual([true, true]);
  });

  it('records nothing where the provider opens no session that does', async () => {
    const sessionOptions = ({ isRecorded }: SessionKind) =>
      isRecorded ? { webgpu: { validationMode: 'unheard of' } } : {};
    const device = () => ({ canRecord: true, sessionOptions });
    await using model = await openOnHost(config, tensors, () => true, { device });
    for (const entry of entries.slice(0, 2)) {
      expect(await answer(model, [entry], [entry.caption])).toEqual([entry.caption.ids]);
    }
  });

  it('runs pictures together, asked the same or not', async () => {
    await using model = await openOnHost(config, tensors, (block) => !block.includes('.layers.1'));
    const some = entries.slice(4, 8);
    const captions = some.map(({ caption }) => caption);
    expect(await answer(model, some, captions)).toEqual(captions.map(({ ids }) => ids));
    const mixed = some.map(({ caption, vqa }, index) => (index % 2 === 0 ? caption : vqa));
    expect(await answer(model, some, mixed)).toEqual(mixed.map(({ ids }) => ids));
    expect(await answer(model, some, mixed, { numBeams: 5 })).toEqual(mixed.map(({ beam5_ids: ids }) => ids));
  });

  it.each([
    ['float32 matrices', webgpuStyle('F32'), {}],
    ['float16 matrices', webgpuStyle('F16'), {}],
    ['few shapes', webgpuStyle('F32'), { keepsShapes: true }],
    ['attention with a bias', webgpuStyle('F32', 'biased'), {}],
    ['attention by single operators', webgpuStyle('F32', 'plain'), {}],
    ['the same and few shapes', webgpuStyle('F32', 'plain'), { keepsShapes: true }],
  ])('answers as transformers in the form of WebGPU, %s', async (_, style, limits) => {
    const folder = await mkdtemp(join(tmpdir(), 'blip2-gpu-model-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const dtypes = computedDtypes(config, tensors, () => style);
    const computed = await materializeTensors(await openCheckpoint(DEMO), dtypes, folder);
    const isResident: IsResident = (block) => /[02468]$/.test(block);
    await using model = await openOnHost(config, computed.tensors, isResident, {
      device: () => ({ style, ...limits }),
    });
    for (const entry of entries.slice(8, 10)) {
      expect(await answer(model, [entry], [entry.caption])).toEqual([entry.caption.ids]);
      expect(await answer(model, [entry], [entry.vqa])).toEqual([entry.vqa.ids]);
    }
    const both = entries.slice(10, 12);
    expect(
      await answer(
        model,
        both,
        both.map(({ caption }) => caption),
      ),
    ).toEqual(both.map(({ caption }) => caption.ids));
  });

  it('has room for more tokens than its first caches', async () => {
    await using model = await openOnHost(config, tensors, () => true);
    const [entry] = entries;
    if (entry === undefined) throw new Error('no pictures');
    const [ids = []] = await answer(model, [entry], [entry.caption], { maxNewTokens: 90, minNewTokens: 90 });
    expect(ids).toHaveLength(90);
    expect(ids.slice(0, entry.caption.ids.length - 1)).toEqual(entry.caption.ids.slice(0, -1));
  });
});
