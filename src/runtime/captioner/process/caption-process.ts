import { setImmediate } from 'node:timers/promises';
import type { Checkpoint } from '../../../loader/checkpoint/checkpoint.js';
import type { CaptionWorker, NumberedPicture, StreamRequest } from '../../engine/caption-worker.js';
import type { CaptionHooks, Outcome } from '../../engine/captioner-options.js';
import type { DeviceOptions } from '../../device/device-options.js';
import type { ForkOptions } from './fork-model.js';
import { ModelProcess } from './model-process.js';
import { readAhead, type Ahead } from './read-ahead.js';

/** Of pictures that are read before the model's process asks for them: it asks between runs of a device, and takes what is there. */
const AHEAD: Ahead<NumberedPicture> = { most: 64, mostBytes: 16 * 2 ** 20, bytesOf };

/**
 * Captions made in a process of their own.
 * @param place says where the model is to run
 */
export async function startCaptionProcess(
  checkpoint: Checkpoint,
  place: () => Promise<DeviceOptions>,
  options: ForkOptions = {},
): Promise<CaptionWorker> {
  const model = await ModelProcess.start(checkpoint, place, options);
  return {
    captionBatch: (batch, hooks) =>
      model.perform({ kind: 'caption', batch, tokens: hooks.onToken !== undefined }, hooks),
    captionStream: (source, request, hooks) => captionStream(model, source, request, hooks),
    [Symbol.asyncDispose]: () => model[Symbol.asyncDispose](),
  };
}

async function* captionStream(
  model: ModelProcess,
  source: AsyncIterator<NumberedPicture>,
  request: StreamRequest,
  hooks: CaptionHooks,
): AsyncGenerator<readonly Outcome[], void, undefined> {
  const reader = new Reader(request.eager === true ? source : readAhead(source, AHEAD));
  const arrived: Outcome[] = [];
  let isDone = false;
  let failure: { readonly error: unknown } | null = null;
  let notify: () => void = () => undefined;
  const stop = new AbortController();
  const signal = hooks.signal === undefined ? stop.signal : AbortSignal.any([hooks.signal, stop.signal]);
  model
    .perform(
      { kind: 'stream', request, tokens: hooks.onToken !== undefined },
      {
        ...hooks,
        signal,
        isPaced: request.isPaced,
        onPull: (most) => reader.read(most),
        onOutcomes: (outcomes) => {
          arrived.push(...outcomes);
          notify();
        },
      },
    )
    .then(
      () => (isDone = true),
      (error: unknown) => (failure = { error }),
    )
    .finally(() => notify());
  try {
    for (;;) {
      if (arrived.length > 0) yield arrived.splice(0);
      else if (failure !== null) throw (failure as { readonly error: unknown }).error;
      else if (isDone) return;
      else await new Promise<void>((resolve) => (notify = resolve));
    }
  } finally {
    stop.abort();
  }
}

function bytesOf({ image }: NumberedPicture): number {
  if (typeof image === 'string') return 0;
  return image instanceof Uint8Array ? image.length : image.data.length;
}

/** Reads a source some at a time: the next one, and those after it that are there at once. */
class Reader<Item> {
  readonly #source: AsyncIterator<Item>;
  #next: Promise<IteratorResult<Item>> | null = null;

  constructor(source: AsyncIterator<Item>) {
    this.#source = source;
  }

  async read(most: number): Promise<Item[]> {
    const items: Item[] = [];
    while (items.length < most) {
      this.#next ??= this.#source.next();
      const next = await (items.length === 0 ? this.#next : Promise.race([this.#next, setImmediate(null)]));
      if (next === null) break;
      this.#next = null;
      if (next.done === true) break;
      items.push(next.value);
    }
    return items;
  }
}
