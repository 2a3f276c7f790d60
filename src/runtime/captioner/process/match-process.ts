import type { Checkpoint } from '../../../loader/checkpoint/checkpoint.js';
import type { DeviceOptions } from '../../device/device-options.js';
import type { MatchWorker } from '../../engine/match-engine.js';
import type { ForkOptions } from './fork-model.js';
import { ModelProcess } from './model-process.js';

/**
 * Pictures and texts compared in a process of their own.
 * @param place says where the model is to run
 */
export async function startMatchProcess(
  checkpoint: Checkpoint,
  place: () => Promise<DeviceOptions>,
  options: ForkOptions = {},
): Promise<MatchWorker> {
  const model = await ModelProcess.start(checkpoint, place, options);
  return {
    match: (picture, texts, signal) => model.perform({ kind: 'match', picture, texts }, hooksOf(signal)),
    embedImage: (picture, signal) => model.perform({ kind: 'embed-image', picture }, hooksOf(signal)),
    embedTexts: (texts, signal) => model.perform({ kind: 'embed-texts', texts }, hooksOf(signal)),
    [Symbol.asyncDispose]: () => model[Symbol.asyncDispose](),
  };
}

const hooksOf = (signal: AbortSignal | undefined) => (signal === undefined ? {} : { signal });
