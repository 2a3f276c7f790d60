import { Blip2Error } from '../errors.js';
import type { Checkpoint } from '../loader/checkpoint/checkpoint.js';
import { parseBlip2Config, type Blip2Config } from '../model/blip2-config.js';
import type { CaptionerOptions, Caption, CaptionOptions, PictureSource } from './captioner-options.js';
import { readCheckpointFiles, type CheckpointFiles } from './checkpoint-files.js';
import { generate } from './generation/generate.js';
import type { GenerationOptions } from './generation/generation-options.js';
import { preparePixels, type PixelValues } from './image/prepare-pixels.js';
import { Blip2Sessions } from './session/blip2-sessions.js';
import { sessionSources } from './session/session-sources.js';
import { answerText, preparePrompts, questionPrompt } from './text/prompts.js';

/**
 * Makes a checkpoint ready to caption pictures. Weights are mapped, not read: this takes milliseconds where the files are
 * in the page cache.
 *
 *     await using captioner = await createCaptioner(await openCheckpoint('models/demo'));
 *     for await (const { text } of captioner.caption('picture.png')) console.log(text);
 *
 * @throws Blip2Error `CONFIG_INVALID`, `TENSOR_MISSING`, `TENSOR_SHAPE`, `CHECKPOINT_FILE_MISSING`,
 *   `MAP_UNCOVERED`, `MAP_BLOCK_CUT`, `GPU_MISSING`
 */
export async function createCaptioner(checkpoint: Checkpoint, options: CaptionerOptions = {}): Promise<Captioner> {
  const config = parseBlip2Config(checkpoint.config);
  const files = await readCheckpointFiles(checkpoint.folder);
  const sessions = await Blip2Sessions.create(await sessionSources(config, checkpoint, options));
  return new Captioner(config, files, sessions);
}

export class Captioner implements AsyncDisposable {
  readonly config: Blip2Config;
  readonly #files: CheckpointFiles;
  readonly #sessions: Blip2Sessions;

  constructor(config: Blip2Config, files: CheckpointFiles, sessions: Blip2Sessions) {
    this.config = config;
    this.#files = files;
    this.#sessions = sessions;
  }

  /**
   * Captions in the order of the pictures, each as soon as its batch is done.
   * @throws Blip2Error `IMAGE_NOT_FOUND`, `IMAGE_UNREADABLE`, `IMAGE_SIZE`, `PROMPT_INVALID`, `PROMPT_TOO_LONG`,
   *   `OPTION_INVALID`; the signal's reason when aborted
   */
  async *caption(
    pictures: PictureSource | Iterable<PictureSource> | AsyncIterable<PictureSource>,
    options: CaptionOptions = {},
  ): AsyncGenerator<Caption, void, undefined> {
    let index = 0;
    for await (const batch of inBatches(pictures, options.batchSize ?? 1)) {
      yield* await this.#captionBatch(batch, index, options);
      index += batch.length;
    }
  }

  async #captionBatch(batch: readonly PictureSource[], first: number, options: CaptionOptions): Promise<Caption[]> {
    const { question, prompt, signal, onToken, batchSize: _, ...generation } = options;
    signal?.throwIfAborted();
    const { preprocessor, tokenizer } = this.#files;
    const text = question === undefined ? (prompt ?? null) : questionPrompt(question);
    const { contextIds, ...prompts } = preparePrompts(
      batch.map(() => text),
      tokenizer,
      this.config,
    );
    const limited = this.#withinPositions(generation, prompts.textIds[0]?.length ?? 0);

    const started = performance.now();
    const pixels = await Promise.all(batch.map((picture) => preparePixels(picture, preprocessor)));
    const prepared = performance.now();
    const prefix = await this.#sessions.encodeImages(...this.#stacked(pixels));
    signal?.throwIfAborted();
    const encoded = performance.now();
    const request = {
      contextIds,
      eosTokenIds: this.config.text.eosTokenIds,
      randomStreams: batch.map((_picture, row) => first + row),
    };
    const hooks = {
      ...(signal === undefined ? {} : { signal }),
      ...(onToken === undefined ? {} : { onToken }),
    };
    const sequences = await generate(this.#sessions.tokens({ prefix, ...prompts }), request, limited, hooks);
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

  /** Pictures of one size as one array. */
  #stacked(pictures: readonly PixelValues[]): [pixels: Float32Array, shape: number[]] {
    const { imageSize, channels } = this.config.vision;
    for (const { width, height } of pictures) {
      if (width === imageSize && height === imageSize) continue;
      throw new Blip2Error(
        'IMAGE_SIZE',
        `preprocessor_config.json makes pictures of ${width} x ${height} pixels; the vision model reads ${imageSize} x ${imageSize}`,
        { hint: 'Check that preprocessor_config.json belongs to this checkpoint.' },
      );
    }
    const size = channels * imageSize ** 2;
    const stacked = new Float32Array(pictures.length * size);
    pictures.forEach(({ data }, index) => stacked.set(data, index * size));
    return [stacked, [pictures.length, channels, imageSize, imageSize]];
  }

  /** OPT has a row per position and no more: new tokens end where the table ends, as in transformers. */
  #withinPositions(options: GenerationOptions, textTokens: number): GenerationOptions {
    const { text, numQueryTokens } = this.config;
    if (text.family !== 'opt') return options;
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
    return { ...options, maxNewTokens: Math.min(options.maxNewTokens ?? 20, room) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#sessions[Symbol.asyncDispose]();
  }
}

async function* inBatches(
  pictures: PictureSource | Iterable<PictureSource> | AsyncIterable<PictureSource>,
  size: number,
): AsyncGenerator<PictureSource[], void, undefined> {
  if (!Number.isSafeInteger(size) || size < 1) {
    throw new Blip2Error('OPTION_INVALID', `batchSize is ${size}; it has to be a whole number of at least 1`);
  }
  // A path and the bytes of a file can both be iterated: here each is one picture.
  const single = typeof pictures === 'string' || pictures instanceof Uint8Array;
  let batch: PictureSource[] = [];
  for await (const picture of single ? [pictures] : pictures) {
    batch.push(picture);
    if (batch.length < size) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}
