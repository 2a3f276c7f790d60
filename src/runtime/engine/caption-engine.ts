/** From a batch of pictures to captions, in the process that holds the model. */
import type { Checkpoint } from '../../loader/checkpoint/checkpoint.js';
import { MOST_TOGETHER } from '../../planner/profile/workload/encoding.js';
import type { Caption, CaptionHooks, Outcome } from './captioner-options.js';
import type { CaptionBatch, CaptionWorker, NumberedPicture, StreamRequest } from './caption-worker.js';
import { openEngineParts, type EngineParts } from './open-engine-parts.js';
import { picturesAtOnce } from './pictures-at-once.js';
import type { DeviceOptions } from '../device/device-options.js';
import { generate } from '../generation/generate.js';
import type { GeneratedSequence, GenerationHooks } from '../generation/generation-request.js';
import { resolveGenerationOptions, sequencesAtOnce } from '../generation/generation-options.js';
import { batchPixels } from '../image/batch-pixels.js';
import type { AskedWork } from '../placement/planned-room.js';
import type { DecodingRoom } from '../session/model/language-prompt.js';
import { CaptionStream } from './stream/caption-stream.js';
import type { Numbered } from './stream/numbered-picture.js';
import { checkOwnOptions } from './stream/own-settings.js';
import type { PreparedPicture } from './stream/stream-settings.js';
import { notFiniteOutcome } from './stream/not-finite-outcome.js';
import { PictureFeed } from './stream/picture-feed.js';
import { rowsOf } from './stream/picture-rows.js';
import { AnswerStream } from './text/answer-stream.js';
import { answerText } from './text/prompts.js';

/**
 * Pictures that are ready ahead of the device, or nearly: as many as are decoded at once, whose rows become free in groups and ask for the next while
 * runs hold this thread. On an H200 that captioned files with 512 at once, 128 ahead kept it waiting (424 a second, and 493: bench/bulk).
 */
const MOST_AHEAD = 512;

type CaptionCourse = Pick<Caption, 'promptTokens' | 'timing'>;

export class CaptionEngine implements CaptionWorker {
  readonly #parts: EngineParts;

  private constructor(parts: EngineParts) {
    this.#parts = parts;
  }

  static async create(checkpoint: Checkpoint, options: DeviceOptions): Promise<CaptionEngine> {
    return new CaptionEngine(await openEngineParts(checkpoint, options));
  }

  async captionBatch({ pictures, first, generation }: CaptionBatch, hooks: CaptionHooks): Promise<Caption[]> {
    const { signal } = hooks;
    const { config, asking, pixels, model, room } = this.#parts;
    signal?.throwIfAborted();
    const texts = pictures.map(({ ask }) => asking.textOf(ask));
    const { contextIds, ...prompts } = asking.prompts(texts);
    const limited = asking.withinPositions(generation, prompts.textIds[0]?.length ?? 0);
    const words = asking.words(texts);
    const { text, numQueryTokens } = config;
    const { maxNewTokens, strategy } = resolveGenerationOptions(limited, text);
    const work = {
      batch: pictures.length,
      beams: sequencesAtOnce(strategy),
      promptTokens: numQueryTokens + (prompts.textIds[0]?.length ?? 0),
      newTokens: maxNewTokens,
      pictureSize: pixels.rules.size,
    };
    await room?.check(work);

    const started = performance.now();
    const images = pictures.map(({ image }) => image);
    const { data, shape } = await batchPixels(images, pixels, signal);
    signal?.throwIfAborted();
    const prepared = performance.now();
    const prefix = await model.encodeImages(data, shape, words);
    const encoded = performance.now();
    const request = {
      contextIds,
      eosTokenIds: text.eosTokenIds,
      randomStreams: pictures.map(({ randomStream }, row) => randomStream ?? first + row),
    };
    const source = model.tokens({ prefix, ...prompts, room: decodingRoom(work) });
    const rows = rowsOf(prefix, pictures.length);
    const sequences = await generate(source, request, limited, {
      ...this.#generationHooks(hooks, first),
      onNotFinite: (picture, where) => {
        throw notFiniteOutcome(first + picture, where, rows[picture]).error;
      },
    });
    const timing = {
      pixelsMs: prepared - started,
      imageMs: encoded - prepared,
      generateMs: performance.now() - encoded,
    };
    return sequences.map((ofPicture, row) => {
      const textTokens = (prompts.textMask[row] ?? []).filter((seen) => seen === 1).length;
      const promptTokens = numQueryTokens + textTokens;
      return this.#captionOf(first + row, ofPicture, { promptTokens, timing });
    });
  }

  async *captionStream(
    source: AsyncIterator<NumberedPicture>,
    request: StreamRequest,
    hooks: CaptionHooks,
  ): AsyncGenerator<readonly Outcome[], void, undefined> {
    const { generation, total = Infinity, eager = false, maxTextTokens } = request;
    const { config, tokenizers, asking, pixels, model, room } = this.#parts;
    const pictureSize = pixels.rules.size;
    const means = { config, model, room, pictureSize };
    const pictures = await picturesAtOnce(means, request);
    // Of none there is nothing to take, but the end of them.
    const most = Math.max(1, total);
    const encoded = Math.min(most, room?.picturesPerSweep(pictures) ?? Math.min(pictures, MOST_TOGETHER));
    const parts = {
      config,
      model,
      asking,
      pictureSize,
      answerStream: () => new AnswerStream(tokenizers.tokenizer),
      captionOf: (index: number, sequences: readonly GeneratedSequence[], course: CaptionCourse) =>
        this.#captionOf(index, sequences, course),
    };
    const ids = config.text;
    const call = resolveGenerationOptions(generation, ids);
    const prepare = async ({ image, ask, generation: own, signal = hooks.signal }: NumberedPicture) => {
      signal?.throwIfAborted();
      const text = asking.textOf(ask);
      const prompt = asking.prompts([text]);
      if (own !== undefined) checkOwnOptions(own, call, ids);
      const textTokens = prompt.textIds[0]?.length ?? 0;
      const within = asking.withinPositions(own ?? generation, textTokens, maxTextTokens);
      const settings = resolveGenerationOptions(within, ids);
      return { text, prompt, settings, pixels: await pixels.pixels(image, signal) };
    };
    const feed = new PictureFeed<NumberedPicture, PreparedPicture, Numbered>(source, {
      prepare,
      keep: withoutImage,
      atOnce: 2 * encoded,
      ahead: Math.max(2 * encoded, Math.min(pictures, MOST_AHEAD)),
      inOrder: !eager,
    });
    const settings = {
      generation,
      pictures,
      encoded,
      eager,
      ...(room !== null && { promptTokens: room.promptTokens }),
    };
    yield* new CaptionStream<Numbered>(parts, settings, hooks).outcomes(feed);
  }

  #captionOf(index: number, sequences: readonly GeneratedSequence[], course: CaptionCourse): Caption {
    const { tokenizer } = this.#parts.tokenizers;
    const answers = sequences.map((sequence) => ({ ...sequence, text: answerText(sequence.ids, tokenizer) }));
    return { index, text: answers[0]?.text ?? '', answers, ...course };
  }

  /** What generation says of rows of a batch, as the caller of all pictures reads it. */
  #generationHooks({ signal, onToken }: CaptionHooks, first: number): GenerationHooks {
    const stopping = signal === undefined ? {} : { signal };
    if (onToken === undefined) return stopping;
    const streams = new Map<string, AnswerStream>();
    const streamOf = (key: string): AnswerStream => {
      const stream = streams.get(key) ?? new AnswerStream(this.#parts.tokenizers.tokenizer);
      streams.set(key, stream);
      return stream;
    };
    return {
      ...stopping,
      onToken: ({ picture, sequence, id }) =>
        onToken({ index: first + picture, answer: sequence, id, text: streamOf(`${picture} ${sequence}`).push(id) }),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#parts.pixels[Symbol.asyncDispose]();
    await this.#parts.model[Symbol.asyncDispose]();
  }
}

/** Room for more new tokens than these is made when they come: most answers end long before. */
const MOST_TOKENS_AT_ONCE = 1024;

function decodingRoom({ batch, beams, newTokens }: AskedWork): DecodingRoom {
  return { rows: batch * beams, newTokens: Math.min(newTokens, MOST_TOKENS_AT_ONCE) };
}

function withoutImage({ index, randomStream, signal, tellsTokens, stopTexts }: NumberedPicture): Numbered {
  return {
    index,
    ...(randomStream !== undefined && { randomStream }),
    ...(signal !== undefined && { signal }),
    ...(tellsTokens !== undefined && { tellsTokens }),
    ...(stopTexts !== undefined && { stopTexts }),
  };
}
