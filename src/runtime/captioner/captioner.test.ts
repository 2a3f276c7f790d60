import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { materializeTensors, openCheckpoint } from '../../loader/index.js';
import type { Dtype } from '../../tensor/dtype.js';
import type { Device } from '../../planner/map/device-map.js';
import { createCaptioner, type Captioner } from './captioner.js';
import type { Progress } from '../device/device-options.js';

const DEMO = join(import.meta.dirname, '../../../models/demo');
const GOLDENS = join(import.meta.dirname, '../../../test/fixtures/goldens/demo/goldens.json');

interface Recorded {
  readonly ids: readonly number[];
  readonly text: string;
  readonly prompt: string | null;
  readonly beam5_ids: readonly number[];
}

interface Entry {
  readonly image: string;
  readonly caption: Recorded;
  readonly vqa: Recorded;
}

const entries = JSON.parse(await readFile(GOLDENS, 'utf8')) as Entry[];
const pathOf = (entry: Entry): string => join(DEMO, 'pictures', entry.image);
const FIRST = join(DEMO, 'pictures/shape-00.png');

describe('captioner on the demo checkpoint', () => {
  let captioner: Captioner;
  beforeAll(async () => {
    captioner = await createCaptioner(await openCheckpoint(DEMO), { threads: 1, inProcess: true });
  });
  afterAll(async () => {
    await captioner[Symbol.asyncDispose]();
  });

  it.each([1, 5])('captions all pictures as transformers does, in order, %i at a time', async (batchSize) => {
    const captions = [];
    for await (const caption of captioner.caption(entries.map(pathOf), { maxNewTokens: 40, batchSize })) {
      captions.push(caption);
    }
    expect(captions.map(({ index }) => index)).toEqual(entries.map((_, index) => index));
    expect(captions.map(({ text }) => text)).toEqual(entries.map(({ caption }) => caption.text));
    expect(captions.map(({ answers }) => answers[0]?.ids)).toEqual(entries.map(({ caption }) => caption.ids));
  });

  it('answers questions as transformers does', async () => {
    for (const entry of entries) {
      const question = /^Question: (.*) Answer:$/.exec(entry.vqa.prompt ?? '')?.[1];
      if (question === undefined) throw new Error('no question recorded');
      for await (const { answers, text } of captioner.caption(pathOf(entry), { question, maxNewTokens: 40 })) {
        expect(answers[0]?.ids, entry.image).toEqual(entry.vqa.ids);
        expect(text).toBe(entry.vqa.text);
      }
    }
  });

  it.each([1, 7, 32])('asks each picture its own question, %i in one run', async (batchSize) => {
    const asked = entries.flatMap((entry) => [pathOf(entry), { image: pathOf(entry), prompt: entry.vqa.prompt ?? '' }]);
    const ids = [];
    for await (const { answers } of captioner.caption(asked, { batchSize, maxNewTokens: 40 }))
      ids.push(answers[0]?.ids);
    expect(ids).toEqual(entries.flatMap(({ caption, vqa }) => [caption.ids, vqa.ids]));
  });

  it('gives the ids of transformers with 5 beams', async () => {
    const options = { maxNewTokens: 40, numBeams: 5, batchSize: 4 };
    const ids = [];
    for await (const { answers } of captioner.caption(entries.map(pathOf), options)) ids.push(answers[0]?.ids);
    expect(ids).toEqual(entries.map(({ caption }) => caption.beam5_ids));
  });

  it('takes bytes, and ends where the position table ends', async () => {
    const bytes = await readFile(FIRST);
    const options = { maxNewTokens: 10_000, minNewTokens: 120 };
    for await (const { answers } of captioner.caption(bytes, options)) {
      // transformers answers as many, and fails at one more.
      expect(answers[0]?.ids.length).toBe(128 + 1 - 8 - 1);
      expect(answers[0]?.ids.slice(-4)).toEqual([278, 283, 262, 322]);
    }
    const long = { prompt: 'red '.repeat(200) };
    await expect(captioner.caption(bytes, long).next()).rejects.toMatchObject({ code: 'PROMPT_TOO_LONG' });
  });

  it('asks no empty question', async () => {
    for (const asked of [
      captioner.caption(FIRST, { question: '' }),
      captioner.caption({ image: FIRST, question: ' ' }),
    ])
      await expect(asked.next()).rejects.toMatchObject({ code: 'PROMPT_INVALID' });
  });

  it('stops when told', async () => {
    const control = new AbortController();
    const seen: number[] = [];
    const running = captioner.caption(FIRST, {
      signal: control.signal,
      onToken: ({ id }) => {
        seen.push(id);
        if (seen.length === 2) control.abort(new Error('enough'));
      },
    });
    await expect(running.next()).rejects.toThrow('enough');
    expect(seen).toHaveLength(2);
  });
});

describe('checkpoints that are not float32', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'blip2-test-'));
  });
  afterAll(async () => {
    await rm(folder, { recursive: true });
  });

  it.each(['F16', 'BF16'] as const)('%s: converted once, captions as before', async (dtype) => {
    const checkpoint = await openCheckpoint(DEMO);
    // As transformers keeps it: the Q-Former in float32. So the weights lie in two folders.
    const wanted = (name: string): Dtype => (name.startsWith('qformer.') ? 'F32' : dtype);
    const dtypes = new Map([...checkpoint.tensors.keys()].map((name) => [name, wanted(name)]));
    const half = await materializeTensors(checkpoint, dtypes, join(folder, dtype));
    const converted: number[] = [];
    const options = {
      cacheFolder: join(folder, `${dtype}-cache`),
      onProgress: (progress: Progress) => {
        if (progress.stage === 'converting') converted.push(progress.doneBytes);
      },
      inProcess: true,
      threads: 1,
    };
    for (const run of [1, 2]) {
      await using captioner = await createCaptioner({ ...checkpoint, tensors: half.tensors }, options);
      const conversions = converted.splice(0);
      expect(conversions.length > 0, `run ${run}`).toBe(run === 1);
      for await (const { text, index } of captioner.caption(entries.slice(0, 3).map(pathOf))) {
        expect(text).toBe(entries[index]?.caption.text);
      }
    }
  });
});

describe('device maps', () => {
  const map = (rows: Record<string, Device>) => ({ plan: new Map(Object.entries(rows)) });
  const article = map({ query_tokens: 0, vision_model: 'cpu', language_model: 0, language_projection: 0, qformer: 0 });

  it('runs a hand-written map with its GPU emulated, cut where the map cuts', async () => {
    await using captioner = await createCaptioner(await openCheckpoint(DEMO), {
      ...article,
      emulateGpu: true,
      inProcess: true,
      threads: 1,
    });
    for await (const { text, index } of captioner.caption(entries.slice(0, 3).map(pathOf))) {
      expect(text).toBe(entries[index]?.caption.text);
    }
  });

  it.each([
    ['GPU_MISSING', article],
    ['MAP_UNCOVERED', map({ vision_model: 'cpu' })],
    ['MAP_BLOCK_CUT', map({ '': 'cpu', 'language_model.model.decoder.layers.1.fc1': 'disk' })],
    ['MAP_UNKNOWN_KEY', map({ '': 'cpu', vision_modell: 'cpu' })],
    ['MAP_UNKNOWN_KEY', map({ '': 'cpu', 'language_model.model.decoder.layers.40': 'cpu' })],
  ])('%s', async (code, options) => {
    await expect(createCaptioner(await openCheckpoint(DEMO), { ...options, inProcess: true })).rejects.toMatchObject({
      code,
    });
  });
});
