/** From a batch of pictures to captions, in the process that holds the model. */
import { Blip2Error } from '../errors.js';
import type { Checkpoint } from '../loader/checkpoint/checkpoint.js';
import { parseBlip2Config, type Blip2Config } from '../model/blip2-config.js';
import { checkTensorNames } from '../model/tensor-names.js';
import type { Ask, Caption, CaptionHooks } from './captioner-options.js';
import type { DeviceOptions } from './device-options.js';
import { readCheckpointFiles, type CheckpointFiles } from './checkpoint-files.js';
import { generate } from './generation/generate.js';
import type { GenerationHooks } from './generation/generation-request.js';
import {
  DEFAULT_NEW_TOKENS,
  resolveGenerationOptions,
  sequencesAtOnce,
  type GenerationOptions,
} from './generation/generation-options.js';
import type { LocalPicture } from './image/picture-source.js';
import { batchPixels, pixelRules, type PixelRules } from './image/batch-pixels.js';
import { PlannedRoom, type AskedWork } from './planned-room.js';
import type { CaptionModel } from './session/caption-model.js';
import { openCaptionModel } from './session/open-caption-model.js';
import type { DecodingRoom } from './session/language-prompt.js';
import type { WordBatch } from './session/word-wires.js';
import { AnswerStream } from './text/answer-stream.js';
import { answerText, promptText, preparePrompts } from './text/prompts.js';
import { wordBatch } from './text/word-batch.js';

export interface AskedPicture {
  readonly image: LocalPicture;
  readonly ask: Ask;
}

/** Pictures that run together. */
export interface CaptionBatch {
  readonly pictures: readonly AskedPicture[];
  /** Position of the first of them among all pictures of the call. */
  readonly first: number;
  readonly generation: GenerationOptions;
}

/** What a captioner hands its batches to. */
export interface CaptionWorker extends AsyncDisposable {
  captionBatch(batch: CaptionBatch, hooks: CaptionHooks): Promise<Caption[]>;
}

export class CaptionEngine implements CaptionWorker {
  readonly #config: Blip2Config;
  readonly #files: Omit<CheckpointFiles, 'preprocessor'>;
  readonly #pixels: PixelRules;
  readonly #model: CaptionModel;
  readonly #room: PlannedRoom | null;

  private constructor(
    config: Blip2Config,
    files: Omit<CheckpointFiles, 'preprocessor'>,
    pixels: PixelRules,
    model: CaptionModel,
    room: PlannedRoom | null,
  ) {
    this.#config = config;
    this.#files = files;
    this.#pixels = pixels;
    this.#model = model;
    this.#room = room;
  }

  static async create(checkpoint: Checkpoint, options: DeviceOptions): Promise<CaptionEngine> {
    const config = parseBlip2Config(checkpoint.config);
    checkTensorNames(checkpoint.tensors);
    const { preprocessor, ...files } = await readCheckpointFiles(checkpoint.folder, config);
    const pixels = pixelRules(preprocessor, config.vision, options.pictureSize);
    const room = PlannedRoom.of(checkpoint, config.vision, options);
    await room?.checkPictures(pixels.size);
    const model = await openCaptionModel(config, checkpoint, options);
    return new CaptionEngine(config, files, pixels, model, room);
  }

  async captionBatch({ pictures, first, generation }: CaptionBatch, hooks: CaptionHooks): Promise<Caption[]> {
    const { signal } = hooks;
    signal?.throwIfAborted();
    const { tokenizer } = this.#files;
    const texts = pictures.map(({ ask }) => promptText(ask, this.#config));
    const { contextIds, ...prompts } = preparePrompts(texts, tokenizer, this.#config);
    const limited = this.#withinPositions(generation, prompts.textIds[0]?.length ?? 0);
    const words = this.#instructions(texts);
    const { eosTokenIds } = this.#config.text;
    const { maxNewTokens, strategy } = resolveGenerationOptions(limited, eosTokenIds);
    const work = {
      batch: pictures.length,
      beams: sequencesAtOnce(strategy),
      promptTokens: this.#config.numQueryTokens + (prompts.textIds[0]?.length ?? 0),
      newTokens: maxNewTokens,
      pictureSize: this.#pixels.size,
    };
    await this.#room?.check(work);

    const started = performance.now();
    const images = pictures.map(({ image }) => image);
    const { data, shape } = await batchPixels(images, this.#pixels);
    signal?.throwIfAborted();
    const prepared = performance.now();
    const prefix = await this.#model.encodeImages(data, shape, words);
    const encoded = performance.now();
    const request = {
      contextIds,
      eosTokenIds,
      randomStreams: pictures.map((_, row) => first + row),
    };
    const source = this.#model.tokens({ prefix, ...prompts, room: decodingRoom(work) });
    const sequences = await generate(source, request, limited, this.#generationHooks(hooks, first));
    const timing = {
      pixelsMs: prepared - started,
      imageMs: encoded - prepared,
      generateMs: performance.now() - encoded,
    };
    return sequences.map((ofPicture, row) => {
      const answers = ofPicture.map((sequence) => ({ ...sequence, text: answerText(sequence.ids, tokenizer) }));
      return { index: first + row, text: answers[0]?.text ?? '', answers, timing };
    });
  }

  /** What generation says of rows of a batch, as the caller of all pictures reads it. */
  #generationHooks({ signal, onToken }: CaptionHooks, first: number): GenerationHooks {
    const stopping = signal === undefined ? {} : { signal };
    if (onToken === undefined) return stopping;
    const streams = new Map<string, AnswerStream>();
    const streamOf = (key: string): AnswerStream => {
      const stream = streams.get(key) ?? new AnswerStream(this.#files.tokenizer);
      streams.set(key, stream);
      return stream;
    };
    return {
      ...stopping,
      onToken: ({ picture, sequence, id }) =>
        onToken({ index: first + picture, answer: sequence, id, text: streamOf(`${picture} ${sequence}`).push(id) }),
    };
  }

  /** An InstructBLIP's Q-Former reads what its language model is asked. */
  #instructions(texts: readonly (string | null)[]): WordBatch | undefined {
    const { qformer } = this.#config;
    const { wordTokenizer } = this.#files;
    if (qformer.text === null || wordTokenizer === null) return undefined;
    return wordBatch(
      texts.map((text) => text ?? ''),
      wordTokenizer,
      qformer.text,
    );
  }

  /** A decoder has a row per position and no more: new tokens end where the table ends, as in transformers. */
  #withinPositions(options: GenerationOptions, textTokens: number): GenerationOptions {
    const { text, numQueryTokens } = this.#config;
    if (text.family === 't5') return options;
    const room = text.maxPositions - numQueryTokens - textTokens;
    if (room < 1) {
      const limit = text.maxPositions - numQueryTokens - 1;
      throw new Blip2Error(
        'PROMPT_TOO_LONG',
        `the prompt has ${textTokens} tokens; this model takes ${limit} at most`,
        {
          hint: 'Shorten the prompt.',
          details: { tokens: textTokens, limit },
        },
      );
    }
    return { ...options, maxNewTokens: Math.min(options.maxNewTokens ?? DEFAULT_NEW_TOKENS, room) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#model[Symbol.asyncDispose]();
  }
}

/** Room for more new tokens than these is made when they come: most answers end long before. */
const MOST_TOKENS_AT_ONCE = 1024;

function decodingRoom({ batch, beams, newTokens }: AskedWork): DecodingRoom {
  return { rows: batch * beams, newTokens: Math.min(newTokens, MOST_TOKENS_AT_ONCE) };
}
