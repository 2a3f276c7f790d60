import type { Checkpoint } from '../../../loader/checkpoint/checkpoint.js';
import type { DeviceOptions } from '../../device/device-options.js';
import type { LocalPicture } from '../../image/picture-source.js';
import type { Match, MatchWorker, TextEmbedding } from '../../engine/match-engine.js';
import type { ForkOptions } from './fork-model.js';
import { ModelProcess } from './model-process.js';

/** Pictures and texts compared in a process of their own. */
export class MatchProcess implements MatchWorker {
  readonly #process: ModelProcess;

  private constructor(process: ModelProcess) {
    this.#process = process;
  }

  /** @param place says where the model is to run */
  static async create(
    checkpoint: Checkpoint,
    place: () => Promise<DeviceOptions>,
    options: ForkOptions = {},
  ): Promise<MatchProcess> {
    return new MatchProcess(await ModelProcess.start(checkpoint, place, options));
  }

  match(picture: LocalPicture, texts: readonly string[], signal?: AbortSignal): Promise<Match[]> {
    return this.#process.perform({ kind: 'match', picture, texts }, hooksOf(signal));
  }

  embedImage(picture: LocalPicture, signal?: AbortSignal): Promise<Float32Array[]> {
    return this.#process.perform({ kind: 'embed-image', picture }, hooksOf(signal));
  }

  embedTexts(texts: readonly string[], signal?: AbortSignal): Promise<TextEmbedding[]> {
    return this.#process.perform({ kind: 'embed-texts', texts }, hooksOf(signal));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]();
  }
}

const hooksOf = (signal: AbortSignal | undefined) => (signal === undefined ? {} : { signal });
