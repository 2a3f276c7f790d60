/** From a picture and texts to scores and vectors, in the process that holds the model. */
import { Tensor } from 'onnxruntime-node';
import type { Checkpoint } from '../../loader/checkpoint/checkpoint.js';
import { parseRetrievalConfig, type QFormerTextConfig } from '../../model/blip2-config.js';
import { ofUnchanged } from '../../loader/checkpoint/unchanged-files.js';
import { checkLayerCounts } from '../../model/layer-counts.js';
import { checkTensorNames } from '../../model/tensor-names.js';
import type { DeviceOptions } from '../device/device-options.js';
import { readCheckpointFiles } from './checkpoint-files.js';
import { softmax } from '../generation/softmax.js';
import { loadLibvips } from '../image/libvips-pixels.js';
import { pixelRules, type PixelRules } from '../image/pixel-rules.js';
import { modelPixels } from '../image/prepare-pixels.js';
import type { LocalPicture } from '../image/picture-source.js';
import { PlannedRoom } from '../placement/planned-room.js';
import { similarity } from './similarity.js';
import { openRetrievalModel } from '../session/open-retrieval-model.js';
import type { RetrievalModel } from '../session/model/retrieval-model.js';
import type { WordBatch } from '../session/model/word-wires.js';
import { wordBatch } from './text/word-batch.js';
import type { TextTokenizer } from './text/tokenizer.js';

/** How well a text describes a picture. */
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

/** What a matcher hands its work to. */
export interface MatchWorker extends AsyncDisposable {
  match(picture: LocalPicture, texts: readonly string[], signal?: AbortSignal): Promise<Match[]>;
  embedImage(picture: LocalPicture, signal?: AbortSignal): Promise<Float32Array[]>;
  embedTexts(texts: readonly string[], signal?: AbortSignal): Promise<TextEmbedding[]>;
}

/** Texts that run together. Each takes the rows of the picture with it: 1.4 MB of ViT-g's. */
const TEXTS_AT_ONCE = 16;

interface InputRules {
  readonly pixels: PixelRules;
  readonly tokenizer: TextTokenizer;
  readonly words: QFormerTextConfig;
}

export class MatchEngine implements MatchWorker {
  readonly #inputs: InputRules;
  readonly #model: RetrievalModel;

  private constructor(inputs: InputRules, model: RetrievalModel) {
    this.#inputs = inputs;
    this.#model = model;
  }

  static async create(checkpoint: Checkpoint, options: DeviceOptions): Promise<MatchEngine> {
    const config = parseRetrievalConfig(checkpoint.config);
    checkTensorNames(checkpoint.tensors);
    checkLayerCounts(checkpoint.tensors, config);
    const words = config.qformer.text;
    if (words === null) throw new Error('a retrieval checkpoint reads texts');
    const { preprocessor, tokenizers } = await readCheckpointFiles(checkpoint.folder, config);
    const { tokenizer } = tokenizers();
    const pixels = pixelRules(preprocessor, config.vision, options);
    await PlannedRoom.of(checkpoint, config.vision, options)?.checkPictures(pixels.size);
    // While devices are waited for.
    loadLibvips();
    const model = await ofUnchanged(checkpoint.files, () => openRetrievalModel(config, checkpoint, options));
    return new MatchEngine({ pixels, tokenizer, words }, model);
  }

  async match(picture: LocalPicture, texts: readonly string[], signal?: AbortSignal): Promise<Match[]> {
    const batches = inBatches(texts).map((some) => ({ some, words: this.#words(some) }));
    const vision = await this.#see(picture, signal);
    const image = splitRows(await this.#model.embedImages(vision))[0] ?? [];
    const matches: Match[] = [];
    for (const { some, words } of batches) {
      signal?.throwIfAborted();
      const logits = floatsOf(await this.#model.match(repeated(vision, some.length), words));
      const embeddings = await this.#embed(words);
      for (const [row, text] of some.entries()) {
        const [, probability = Number.NaN] = softmax(logits.slice(2 * row, 2 * row + 2));
        const vector = embeddings[row]?.vector ?? new Float32Array();
        matches.push({ text, probability, similarity: similarity(image, vector) });
      }
    }
    return matches;
  }

  async embedImage(picture: LocalPicture, signal?: AbortSignal): Promise<Float32Array[]> {
    return splitRows(await this.#model.embedImages(await this.#see(picture, signal)))[0] ?? [];
  }

  async embedTexts(texts: readonly string[], signal?: AbortSignal): Promise<TextEmbedding[]> {
    const batches = inBatches(texts).map((some) => this.#words(some));
    const embeddings: TextEmbedding[] = [];
    for (const words of batches) {
      signal?.throwIfAborted();
      embeddings.push(...(await this.#embed(words)));
    }
    return embeddings;
  }

  async #embed(words: WordBatch): Promise<TextEmbedding[]> {
    const rows = splitRows(await this.#model.embedTexts(words));
    return rows.map((vectors, row) => {
      const tokens = words.mask[row]?.filter((bit) => bit === 1).length ?? 0;
      return { vector: vectors[0] ?? new Float32Array(), words: vectors.slice(0, tokens) };
    });
  }

  async #see(picture: LocalPicture, signal: AbortSignal | undefined): Promise<Tensor> {
    const { pixels } = this.#inputs;
    const data = await modelPixels(picture, pixels);
    if (!(data instanceof Float32Array)) throw new TypeError('pixels are compared in float32');
    signal?.throwIfAborted();
    return this.#model.see(data, [1, 3, pixels.size.height, pixels.size.width]);
  }

  #words(texts: readonly string[]): WordBatch {
    return wordBatch(texts, this.#inputs.tokenizer, this.#inputs.words);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#model[Symbol.asyncDispose]();
  }
}

function inBatches(texts: readonly string[]): (readonly string[])[] {
  const count = Math.ceil(texts.length / TEXTS_AT_ONCE);
  return Array.from({ length: count }, (_, i) => texts.slice(i * TEXTS_AT_ONCE, (i + 1) * TEXTS_AT_ONCE));
}

const floatsOf = ({ data }: Tensor): Float32Array => data as Float32Array;

/** The rows of one picture once for each of several texts. */
function repeated(vision: Tensor, times: number): Tensor {
  const [rows = 0, width = 0] = vision.dims;
  const all = new Float32Array(times * rows * width);
  for (let i = 0; i < times; i++) all.set(floatsOf(vision), i * rows * width);
  return new Tensor('float32', all, [times * rows, width]);
}

/** The vectors of `[batch, rows, width]`, by batch. */
function splitRows(tensor: Tensor): Float32Array[][] {
  const [batch = 0, rows = 0, width = 0] = tensor.dims;
  const values = floatsOf(tensor);
  const vector = (at: number) => values.slice(at * width, (at + 1) * width);
  return Array.from({ length: batch }, (_, i) => Array.from({ length: rows }, (_row, row) => vector(i * rows + row)));
}
