/** Many pictures through one captioner: each answered as transformers answers it alone, whatever is beside it. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { describe, expect, it, vi } from 'vitest';
import { openCheckpoint } from '../../src/loader/index.js';
import { parseBlip2Config } from '../../src/model/blip2-config.js';
import { Asking } from '../../src/runtime/engine/asking.js';
import * as Captioners from '../../src/runtime/captioner/captioner.js';
import type { AnswerToken, CaptionAllOptions, Outcome, Picture } from '../../src/runtime/engine/captioner-options.js';
import { readCheckpointFiles } from '../../src/runtime/engine/checkpoint-files.js';
import type { EngineDevice } from '../../src/runtime/session/gpu/device/engine-device.js';
import { preparePixels } from '../golden/prepare-pixels.js';
import { CaptionStream } from '../../src/runtime/engine/stream/caption-stream.js';
import type { PreparedPicture } from '../../src/runtime/engine/stream/stream-settings.js';
import { PictureFeed } from '../../src/runtime/engine/stream/picture-feed.js';
import { resolveGenerationOptions, type StepOptions } from '../../src/runtime/generation/generation-options.js';
import { AnswerStream } from '../../src/runtime/engine/text/answer-stream.js';
import { answerText } from '../../src/runtime/engine/text/prompts.js';
import { DEMO, GOLDENS } from '../golden/golden.js';
import { openOnHost } from '../golden/open-on-host.js';

interface Recorded {
  readonly ids: readonly number[];
  readonly prompt: string | null;
  readonly beam5_ids: readonly number[];
}

interface Entry {
  readonly image: string;
  readonly caption: Recorded;
  readonly vqa: Recorded;
}

const entries = JSON.parse(await readFile(join(GOLDENS, 'demo/goldens.json'), 'utf8')) as Entry[];
const pathOf = ({ image }: Entry): string => join(DEMO, 'pictures', image);
const checkpoint = await openCheckpoint(DEMO);
const config = parseBlip2Config(checkpoint.config);

/** Captions and questions in turns: prompts of different lengths, answers of different lengths. */
const asked = entries.flatMap((entry) => [
  { image: pathOf(entry), expected: entry.caption },
  { image: pathOf(entry), prompt: entry.vqa.prompt ?? '', expected: entry.vqa },
]);
const pictures: Picture[] = asked.map(({ image, prompt }) => (prompt === undefined ? { image } : { image, prompt }));

/** Processes of their own are those of the built package. */
const built = join(import.meta.dirname, '../../dist/src/runtime/captioner/captioner.js');
const inProcesses = (await import(pathToFileURL(built).href)) as typeof Captioners;

async function outcomesOf(options: CaptionAllOptions, given: Iterable<Picture> = pictures, inProcess = true) {
  const { createCaptioner } = inProcess ? Captioners : inProcesses;
  await using captioner = await createCaptioner(checkpoint, { threads: 1, inProcess });
  const outcomes: Outcome[] = [];
  for await (const outcome of captioner.captionAll(given, { maxNewTokens: 40, ...options })) outcomes.push(outcome);
  return outcomes;
}

/** What is left of an array whose bytes were moved to another thread. */
function movedBytes(): Uint8Array {
  const bytes = new Uint8Array(10);
  structuredClone(bytes, { transfer: [bytes.buffer] });
  return bytes;
}

const idsOf = (outcomes: readonly Outcome[]) =>
  outcomes.map((outcome) => (outcome.status === 'captioned' ? outcome.caption.answers[0]?.ids : outcome.error));

describe('captionAll', () => {
  it.each([1, 5, 'auto'] as const)('answers as transformers, in order, %s at once', async (batchSize) => {
    expect(idsOf(await outcomesOf({ batchSize }))).toEqual(asked.map(({ expected }) => expected.ids));
  });

  it('has nothing to say of no picture', async () => {
    for (const inProcess of [true, false]) {
      const { createCaptioner } = inProcess ? Captioners : inProcesses;
      await using captioner = await createCaptioner(checkpoint, { threads: 1, inProcess });
      for (const options of [{}, { numBeams: 5 }, { batchSize: 3 }]) {
        for (const given of [[], new Set<Picture>()]) {
          for await (const outcome of captioner.captionAll(given, options)) expect(outcome).toBeUndefined();
        }
      }
    }
  });

  it('answers as transformers with five beams', async () => {
    const given = entries.map(pathOf);
    const outcomes = await outcomesOf({ batchSize: 3, numBeams: 5 }, given);
    expect(idsOf(outcomes)).toEqual(entries.map(({ caption }) => caption.beam5_ids));
  });

  it('reports each picture that it cannot read, and answers the others, in a process of its own', async () => {
    const [first = '', second = '', third = ''] = entries.map(pathOf);
    const given = [
      first,
      join(DEMO, 'no.png'),
      second,
      new Uint8Array(3),
      'http:/',
      { image: third, prompt: '<image>' },
      movedBytes(),
      { data: new Uint8Array(12), width: 2, height: 2, close: () => undefined },
    ];
    const outcomes = await outcomesOf({ batchSize: 2 }, given, false);
    expect(outcomes.map((outcome) => (outcome.status === 'failed' ? outcome.index : outcome.caption.index))).toEqual([
      0, 1, 2, 3, 4, 5, 6, 7,
    ]);
    expect(outcomes.map((outcome) => (outcome.status === 'failed' ? outcome.error : null))).toEqual([
      null,
      expect.objectContaining({ code: 'IMAGE_NOT_FOUND' }),
      null,
      expect.objectContaining({ code: 'IMAGE_UNREADABLE' }),
      expect.objectContaining({ code: 'IMAGE_NOT_FOUND' }),
      expect.objectContaining({ code: 'PROMPT_INVALID' }),
      expect.objectContaining({ code: 'IMAGE_UNREADABLE' }),
      null,
    ]);
  });

  it.each([true, false])('lets go of its source once nobody takes outcomes (in process: %s)', async (inProcess) => {
    const { createCaptioner } = inProcess ? Captioners : inProcesses;
    await using captioner = await createCaptioner(checkpoint, { threads: 1, inProcess });
    const [first = ''] = entries.map(pathOf);
    let given = 0;
    let isLetGo = false;
    async function* camera(): AsyncGenerator<Picture> {
      try {
        for (;;) {
          await setTimeout(5);
          given += 1;
          yield first;
        }
      } finally {
        isLetGo = true;
      }
    }
    for await (const outcome of captioner.captionAll(camera(), { batchSize: 1 })) {
      expect(outcome.status).toBe('captioned');
      given = 0;
      break;
    }
    await vi.waitUntil(() => isLetGo, { timeout: 10_000 });
    // The one that it waits for.
    expect(given).toBeLessThanOrEqual(1);
  });

  it('throws what its source throws after the outcomes before it, and what it is aborted with', async () => {
    function* failing(): Generator<Picture> {
      yield* entries.slice(0, 3).map(pathOf);
      throw new Error('the list ends in the middle');
    }
    for (const inProcess of [true, false]) {
      const { createCaptioner } = inProcess ? Captioners : inProcesses;
      await using captioner = await createCaptioner(checkpoint, { threads: 1, inProcess });
      for (const ways of [captioner.captionAll(failing()), captioner.caption(failing(), { batchSize: 2 })]) {
        const indexes: number[] = [];
        const taken = (async () => {
          for await (const made of ways) {
            if ('index' in made) indexes.push(made.index);
            else if (made.status === 'captioned') indexes.push(made.caption.index);
          }
        })();
        await expect(taken).rejects.toThrow('the list ends in the middle');
        expect(indexes).toEqual([0, 1, 2]);
      }
      function* endless(): Generator<Picture> {
        for (;;) yield pathOf(entries[0] ?? { image: '', caption: never, vqa: never });
      }
      for (const signal of [AbortSignal.abort(), AbortSignal.timeout(300)])
        await expect(outcomesOf({ signal }, endless(), inProcess)).rejects.toThrow(/aborted|timeout/i);
    }
  });
});

const never: Recorded = { ids: [], prompt: null, beam5_ids: [] };

/** Devices as they are on a card: steps are recorded by the number of their rows. */
const DEVICES: readonly (readonly [string, Partial<EngineDevice>])[] = [
  ['any number of rows', {}],
  ['recorded steps', { canRecord: true }],
  [
    'pictures encoded in another thread',
    {
      beside: () => {
        throw new Error('one memory is enough here');
      },
    },
  ],
];

/** Of every third picture: what it alone is asked for, and how it ends. */
const OWN: readonly ((ids: readonly number[]) => { generation: StepOptions; ids: readonly number[] })[] = [
  (ids) => ({ generation: { maxNewTokens: 40 }, ids }),
  (ids) => ({ generation: { maxNewTokens: 3 }, ids: ids.slice(0, 3) }),
  (ids) => ({ generation: { maxNewTokens: 40, doSample: true, topK: 1, seed: 3 }, ids }),
];

describe.each(DEVICES)('rows that go on, with %s', (_, device) => {
  it.each([
    [1, 1, false],
    [3, 2, false],
    [3, 2, true],
    [8, 3, false],
    [40, 16, false],
    [40, 16, true],
  ])('%i pictures decoded and %i encoded at once (eager: %s)', async (atOnce, encoded, eager) => {
    const { preprocessor, tokenizers } = await readCheckpointFiles(checkpoint.folder, config);
    await using model = await openOnHost(config, checkpoint.tensors, () => true, { device: () => device });
    const asking = new Asking(config, tokenizers());
    const prepare = async ({ image, prompt, generation }: (typeof numbered)[number]): Promise<PreparedPicture> => {
      const text = asking.textOf(prompt === undefined ? {} : { prompt });
      return {
        pixels: (await preparePixels(image, preprocessor)).data,
        text,
        prompt: asking.prompts([text]),
        settings: resolveGenerationOptions(generation, config.text),
      };
    };
    const numbered = asked.map((each, index) => {
      const own = OWN[index % OWN.length]?.(each.expected.ids) ?? { ids: [], generation: {} };
      // Wanted no more before it begins, and while it is answered.
      const abort = new AbortController();
      if (index === 5) abort.abort(new Error('dropped'));
      return { ...each, ...own, index, abort, signal: abort.signal, tellsTokens: index % 2 === 0 };
    });
    async function* source() {
      for (const each of numbered) yield await Promise.resolve(each);
    }
    const told = new Map<number, string>();
    const onToken = ({ index, text }: AnswerToken): void => {
      told.set(index, (told.get(index) ?? '') + text);
      if (index === 8) numbered[index]?.abort.abort(new Error('dropped'));
    };
    const side = config.vision.imageSize;
    const stream = new CaptionStream<(typeof numbered)[number]>(
      {
        config,
        model,
        asking,
        pictureSize: { height: side, width: side },
        answerStream: () => new AnswerStream(tokenizers().tokenizer),
        captionOf: (index, sequences, course) => {
          const answers = sequences.map((each) => ({ ...each, text: answerText(each.ids, tokenizers().tokenizer) }));
          return { index, text: answers[0]?.text ?? '', answers, ...course };
        },
      },
      { generation: { maxNewTokens: 40, doSample: true, seed: 1 }, pictures: atOnce, encoded, eager },
      { onToken },
    );
    const found = new Map<number, unknown>();
    const feed = new PictureFeed(source(), { prepare, ahead: 2 * encoded, inOrder: !eager });
    for await (const outcomes of stream.outcomes(feed)) {
      for (const outcome of outcomes) {
        const index = outcome.status === 'failed' ? outcome.index : outcome.caption.index;
        expect(found.has(index)).toBe(false);
        found.set(index, outcome.status === 'failed' ? outcome.error : outcome.caption.answers[0]);
        if (outcome.status === 'captioned' && index % 2 === 0) expect(told.get(index)).toBe(outcome.caption.text);
      }
    }
    expect(numbered.map(({ index }) => found.get(index))).toEqual(
      numbered.map(({ index, ids }) =>
        index === 5 || index === 8 ? new Error('dropped') : expect.objectContaining({ ids }),
      ),
    );
    expect([...told.keys()].every((index) => index % 2 === 0)).toBe(true);
  });
});
