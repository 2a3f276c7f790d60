import type { Checkpoint } from '../../loader/checkpoint/checkpoint.js';
import type { CaptionBatch, CaptionWorker } from '../caption-engine.js';
import type { Caption, CaptionHooks } from '../captioner-options.js';
import type { DeviceOptions } from '../device-options.js';
import { ModelProcess } from './model-process.js';

/** Captions made in a process of their own. */
export class CaptionProcess implements CaptionWorker {
  readonly #process: ModelProcess;

  private constructor(process: ModelProcess) {
    this.#process = process;
  }

  /** @param place says where the model is to run */
  static async create(
    checkpoint: Checkpoint,
    place: () => Promise<DeviceOptions>,
    signal?: AbortSignal,
  ): Promise<CaptionProcess> {
    return new CaptionProcess(await ModelProcess.start(checkpoint, place, signal));
  }

  captionBatch(batch: CaptionBatch, hooks: CaptionHooks): Promise<Caption[]> {
    return this.#process.perform({ kind: 'caption', batch, tokens: hooks.onToken !== undefined }, hooks);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]();
  }
}
