import { Blip2Error } from '../errors.js';
import type { Checkpoint } from '../loader/checkpoint/checkpoint.js';
import { parseRetrievalConfig, type QFormerTextConfig, type RetrievalConfig } from '../model/blip2-config.js';
import type { CaptionerOptions } from './captioner-options.js';
import { readCheckpointFiles } from './checkpoint-files.js';
import { softmax } from './generation/softmax.js';
import { batchPixels, pixelRules, type PixelRules } from './image/batch-pixels.js';
import { localPicture, type PictureSource } from './image/picture-source.js';
import { placedDevices } from './placement.js';
import type { RetrievalSessions } from './session/retrieval-sessions.js';
import { wordBatch } from './text/word-batch.js';
import type { TextTokenizer } from './text/tokenizer.js';

export interface Match {
  readonly text: string;
  /** That the text describes the picture, from 0 to 1: the image-text matching head. */
  readonly probability: number;
  /** Cosine of the picture's nearest vector and the text's, from -1 to 1: the contrastive side. */
  readonly similarity: number;
}

/** Unit vectors of a text: the first word's stands for the whole. */
export interface TextEmbedding {
  readonly vector: Float32Array;
  /** One per token, the first included. */
  readonly words: readonly Float32Array[];
}

/**
 * Makes a retrieval checkpoint (such as Salesforce/blip2-itm-vit-g) ready to compare pictures with texts, in the caller's
 * process.
 *
 *     await using matcher = await createMatcher(await openCheckpoint(folder));
 *     const [match] = await matcher.match('picture.png', ['a red ring']);
 *
 * @throws Blip2Error `CONFIG_INVALID`, `TENSOR_MISSING`, `TENSOR_SHAPE`, `CHECKPOINT_FILE_MISSING`, `MAP_UNCOVERED`,
 *   `MAP_BLOCK_CUT`, `GPU_MISSING`
 */
export async function createMatcher(checkpoint: Checkpoint, options: CaptionerOptions = {}): Promise<Matcher> {
  const config = parseRetrievalConfig(checkpoint.config);
  if (config.qformer.text === null) throw new Error('a retrieval checkpoint reads texts');
  const { preprocessor, tokenizer } = await readCheckpointFiles(checkpoint.folder, config);
  const pixels = pixelRules(preprocessor, config.vision, options.pictureSize);
  const [{ RetrievalSessions }, { sessionSources }] = await Promise.all([
    import('./session/retrieval-sessions.js'),
    import('./session/session-sources.js'),
  ]);
  const devices = await placedDevices(checkpoint, options);
  const sessions = await RetrievalSessions.create(await sessionSources(config, checkpoint, devices));
  return new Matcher(config, { pixels, tokenizer, words: config.qformer.text }, sessions);
}

interface InputRules {
  readonly pixels: PixelRules;
  readonly tokenizer: TextTokenizer;
  readonly words: QFormerTextConfig;
}

/** Every method throws Blip2Error `IMAGE_*` for pictures, `PROMPT_INVALID` and `PROMPT_TOO_LONG` for texts. */
export class Matcher implements AsyncDisposable {
  readonly config: RetrievalConfig;
  readonly #inputs: InputRules;
  readonly #sessions: RetrievalSessions;

  constructor(config: RetrievalConfig, inputs: InputRules, sessions: RetrievalSessions) {
    this.config = config;
    this.#inputs = inputs;
    this.#sessions = sessions;
  }

  /** How well each text describes the picture, in the order of the texts. The picture is looked at once. */
  async match(picture: PictureSource, texts: readonly string[]): Promise<Match[]> {
    const vision = await this.#see(picture);
    const image = rowsOf(await this.#sessions.embedImages(vision));
    const matches: Match[] = [];
    for (const text of texts) {
      const words = this.#words([text]);
      const logits = await this.#sessions.match(vision, words);
      const { vector } = textEmbedding(rowsOf(await this.#sessions.embedTexts(words)));
      const [, probability = 0] = softmax(logits.data as Float32Array);
      matches.push({ text, probability, similarity: similarity(image, vector) });
    }
    return matches;
  }

  /** The picture's unit vectors, one per query token, each `config.embedSize` long. */
  async embedImage(picture: PictureSource): Promise<Float32Array[]> {
    return rowsOf(await this.#sessions.embedImages(await this.#see(picture)));
  }

  async embedText(text: string): Promise<TextEmbedding> {
    return textEmbedding(rowsOf(await this.#sessions.embedTexts(this.#words([text]))));
  }

  async #see(picture: PictureSource) {
    const { data, shape } = await batchPixels([await localPicture(picture)], this.#inputs.pixels);
    return this.#sessions.see(data, shape);
  }

  #words(texts: readonly string[]) {
    return wordBatch(texts, this.#inputs.tokenizer, this.#inputs.words);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#sessions[Symbol.asyncDispose]();
  }
}

/**
 * The contrastive score of a picture and a text, from their unit vectors: the best cosine over the picture's.
 * @param image from `embedImage`
 * @param text the `vector` of `embedText`
 */
export function similarity(image: readonly Float32Array[], text: Float32Array): number {
  return Math.max(...image.map((vector) => vector.reduce((sum, value, i) => sum + value * (text[i] ?? Number.NaN), 0)));
}

function textEmbedding(words: readonly Float32Array[]): TextEmbedding {
  const [vector] = words;
  if (vector === undefined) throw new Blip2Error('PROMPT_INVALID', 'the text has no tokens');
  return { vector, words };
}

/** The rows of `[1, rows, width]`. */
function rowsOf({ data, dims }: { readonly data: unknown; readonly dims: readonly number[] }): Float32Array[] {
  const [, rows = 0, width = 0] = dims;
  const values = data as Float32Array;
  return Array.from({ length: rows }, (_, row) => values.slice(row * width, (row + 1) * width));
}
