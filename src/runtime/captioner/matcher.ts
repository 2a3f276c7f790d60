import type { Checkpoint } from '../../loader/checkpoint/checkpoint.js';
import { parseRetrievalConfig, type RetrievalConfig } from '../../model/blip2-config.js';
import type { CaptionerOptions } from '../engine/captioner-options.js';
import { fetchLimits, type FetchLimits, type FetchOptions } from '../image/fetch-picture.js';
import { localPicture, type PictureSource } from '../image/picture-source.js';
import type { Match, MatchWorker, TextEmbedding } from '../engine/match-engine.js';
import { placedDevices } from '../placement/placement.js';

/**
 * Makes a retrieval checkpoint (such as Salesforce/blip2-itm-vit-g) ready to compare pictures with texts.
 *
 *     await using matcher = await createMatcher(await openCheckpoint(folder));
 *     const [match] = await matcher.match('picture.png', ['a red ring']);
 *
 * @throws Blip2Error as `createCaptioner` does; `QUANT_INVALID` where weights may be quantised: there is no language model
 */
export async function createMatcher(checkpoint: Checkpoint, options: CaptionerOptions = {}): Promise<Matcher> {
  const config = parseRetrievalConfig(checkpoint.config);
  return new Matcher(config, await startWorker(checkpoint, options), options);
}

/** Loads what it needs only: a caller whose model is elsewhere never loads ONNX Runtime. */
async function startWorker(checkpoint: Checkpoint, options: CaptionerOptions): Promise<MatchWorker> {
  const place = () => placedDevices(checkpoint, options);
  if (options.inProcess === true) {
    const devices = await place();
    const { MatchEngine } = await import('../engine/match-engine.js');
    return MatchEngine.create(checkpoint, devices);
  }
  const { startMatchProcess } = await import('./process/match-process.js');
  return startMatchProcess(checkpoint, place, options);
}

/** How work is ended. */
export interface MatchOptions {
  /** Ends the work, with the signal's reason. */
  readonly signal?: AbortSignal;
}

/**
 * Every method throws Blip2Error `IMAGE_*` for pictures, `PROMPT_INVALID` and `PROMPT_TOO_LONG` for texts, `PROCESS_ENDED`;
 * the signal's reason when aborted.
 */
export class Matcher implements AsyncDisposable {
  readonly config: RetrievalConfig;
  readonly #worker: MatchWorker;
  readonly #fetching: FetchOptions;

  constructor(
    config: RetrievalConfig,
    worker: MatchWorker,
    options: Pick<CaptionerOptions, 'onProgress'> & FetchLimits = {},
  ) {
    this.#fetching = {
      ...fetchLimits(options),
      onSlow: (url) => options.onProgress?.({ stage: 'fetching', url }),
    };
    this.config = config;
    this.#worker = worker;
  }

  /** How well each text describes the picture, in the order of the texts. The picture is looked at once. */
  async match(picture: PictureSource, texts: readonly string[], { signal }: MatchOptions = {}): Promise<Match[]> {
    return this.#worker.match(await localPicture(picture, { ...this.#fetching, signal }), texts, signal);
  }

  /** The picture's unit vectors, one per query token, each `config.embedSize` long. */
  async embedImage(picture: PictureSource, { signal }: MatchOptions = {}): Promise<Float32Array[]> {
    return this.#worker.embedImage(await localPicture(picture, { ...this.#fetching, signal }), signal);
  }

  async embedTexts(texts: readonly string[], { signal }: MatchOptions = {}): Promise<TextEmbedding[]> {
    return this.#worker.embedTexts(texts, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker[Symbol.asyncDispose]();
  }
}
