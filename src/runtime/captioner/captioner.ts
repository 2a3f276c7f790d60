import { Blip2Error } from '../../errors.js';
import { errorText, option } from '../../error-text.js';
import type { Checkpoint } from '../../loader/checkpoint/checkpoint.js';
import { parseBlip2Config, type Blip2Config } from '../../model/blip2-config.js';
import { askedPicture, askOf } from '../engine/asked-picture.js';
import type { CaptionWorker } from '../engine/caption-worker.js';
import type {
  Caption,
  CaptionAllOptions,
  CaptionerOptions,
  CaptionHooks,
  CaptionOptions,
  Outcome,
  Picture,
} from '../engine/captioner-options.js';
import { OutcomeLine } from './outcome-line.js';
import { UntilFailure } from './until-failure.js';
import { fetchLimits, type FetchLimits, type FetchOptions } from '../image/fetch-picture.js';
import { placedDevices } from '../placement/placement.js';
import { CaptionService, type ServiceOptions } from './service/caption-service.js';

/**
 * Makes a checkpoint ready to caption pictures. Weights are mapped, not read: this takes milliseconds where the files are
 * in the page cache.
 *
 *     await using captioner = await createCaptioner(await openCheckpoint('models/demo'));
 *     for await (const { text } of captioner.caption('picture.png')) console.log(text);
 *
 * @throws Blip2Error `CONFIG_INVALID`, `TENSOR_NOT_FOUND`, `TENSOR_SHAPE`, `CHECKPOINT_FILE_MISSING`, `IMAGE_SIZE`,
 *   `MAP_UNCOVERED`, `MAP_BLOCK_CUT`, `MAP_UNKNOWN_KEY`, `GPU_MISSING`, `PLAN_MISMATCH`, `DOES_NOT_FIT`, `OUT_OF_MEMORY`, `PROCESS_ENDED`
 */
export async function createCaptioner(checkpoint: Checkpoint, options: CaptionerOptions = {}): Promise<Captioner> {
  const config = parseBlip2Config(checkpoint.config);
  return new Captioner(config, await startWorker(checkpoint, options), options);
}

/** Loads what it needs only: a caller whose model is elsewhere never loads ONNX Runtime. */
async function startWorker(checkpoint: Checkpoint, options: CaptionerOptions): Promise<CaptionWorker> {
  const place = () => placedDevices(checkpoint, options);
  if (options.inProcess === true) {
    const devices = await place();
    const { CaptionEngine } = await import('../engine/caption-engine.js');
    return CaptionEngine.create(checkpoint, devices);
  }
  const { startCaptionProcess } = await import('./process/caption-process.js');
  return startCaptionProcess(checkpoint, place, options);
}

/** Pictures on their way at most: those that wait for one before them hold their captions, not their pixels. */
const MOST_OPEN = 1024;
const LEAST_OPEN = 256;

/**
 * A model that captions pictures and answers questions about them; `createCaptioner` makes one. It holds memory and a process until
 * it is disposed of.
 */
export class Captioner implements AsyncDisposable {
  readonly config: Blip2Config;
  readonly #worker: CaptionWorker;
  readonly #onProgress: CaptionerOptions['onProgress'];
  readonly #fetching: FetchOptions;

  constructor(
    config: Blip2Config,
    worker: CaptionWorker,
    options: Pick<CaptionerOptions, 'onProgress'> & FetchLimits = {},
  ) {
    this.config = config;
    this.#worker = worker;
    this.#onProgress = options.onProgress;
    this.#fetching = {
      ...fetchLimits(options),
      onSlow: (url) => options.onProgress?.({ stage: 'fetching', url }),
    };
  }

  /**
   * Captions in the order of the pictures, each as soon as its batch is done. The next pictures are asked for once the
   * captions of the last have been taken.
   * @throws Blip2Error `IMAGE_NOT_FOUND`, `IMAGE_UNREADABLE`, `IMAGE_UNSUPPORTED` for one whose pixels could not be Pillow's,
   *   `IMAGE_TOO_LARGE`, `IMAGE_TIMEOUT` for a URL, `PROMPT_INVALID`, `PROMPT_TOO_LONG`, `OPTION_INVALID`,
   *   `PLAN_MISMATCH` for work that the plan's budgets have no room for, `PROCESS_ENDED`; the signal's reason when aborted
   */
  async *caption(
    pictures: Picture | Iterable<Picture> | AsyncIterable<Picture>,
    options: CaptionOptions = {},
  ): AsyncGenerator<Caption, void, undefined> {
    const { question, prompt, signal, onToken: _onToken, batchSize = 1, ...generation } = options;
    const hooks = hooksOf(options);
    const ask = askOf({ question, prompt });
    let first = 0;
    for await (const batch of inBatches(pictures, batchSize)) {
      const asked = await Promise.all(
        batch.map((picture) => askedPicture(picture, ask, { ...this.#fetching, signal })),
      );
      const captions = await this.#worker.captionBatch({ pictures: asked, first, generation }, hooks);
      first += batch.length;
      this.#onProgress?.({ stage: 'captioning', donePictures: first });
      yield* captions;
    }
  }

  /**
   * What becomes of each picture, in their order: its caption, or the error that it alone ends with. Pictures are read and
   * made ready ahead of the model, which works on several at once: this is the way through many of them.
   * @throws Blip2Error `OPTION_INVALID`, `PLAN_MISMATCH` for more pictures at once than the plan's budgets have room for,
   *   `PROCESS_ENDED`; what `pictures` throws, after the outcomes of those that it gave before; the signal's reason when aborted
   */
  async *captionAll(
    pictures: Iterable<Picture> | AsyncIterable<Picture>,
    options: CaptionAllOptions = {},
  ): AsyncGenerator<Outcome, void, undefined> {
    const { question, prompt, signal, onToken: _onToken, batchSize = 'auto', ...generation } = options;
    if (batchSize !== 'auto') checkBatchSize(batchSize);
    const hooks = hooksOf(options);
    const line = new OutcomeLine(batchSize === 'auto' ? MOST_OPEN : 4 * batchSize + LEAST_OPEN);
    const given = new UntilFailure(pictures);
    const source = line.admitted(given, askOf({ question, prompt }), { ...this.#fetching, signal });
    const total = Array.isArray(pictures) ? { total: pictures.length } : {};
    try {
      const made = this.#worker.captionStream(source, { generation, pictures: batchSize, ...total }, hooks);
      for await (const outcomes of made) {
        line.add(outcomes);
        for (const outcome of line.next()) {
          this.#onProgress?.({ stage: 'captioning', donePictures: line.passed });
          yield outcome;
        }
      }
      yield* line.next();
      given.throwFailure();
    } finally {
      line.close();
      // Pictures may be waited for that never come: so is nobody for the end of them.
      void source.return().catch(() => undefined);
    }
  }

  /**
   * Takes pictures one by one, each with options of its own, for a server: they join those that are being answered. Until it
   * is disposed of, this captioner answers nothing else.
   */
  service(options: ServiceOptions = {}): CaptionService {
    return new CaptionService(this.#worker, options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker[Symbol.asyncDispose]();
  }
}

function hooksOf({ signal, onToken }: CaptionOptions | CaptionAllOptions): CaptionHooks {
  return { ...(signal === undefined ? {} : { signal }), ...(onToken === undefined ? {} : { onToken }) };
}

async function* inBatches(
  pictures: Picture | Iterable<Picture> | AsyncIterable<Picture>,
  size: number,
): AsyncGenerator<Picture[], void, undefined> {
  checkBatchSize(size);
  const given = new UntilFailure(isSeveral(pictures) ? pictures : [pictures]);
  let batch: Picture[] = [];
  for await (const picture of given) {
    batch.push(picture);
    if (batch.length < size) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
  given.throwFailure();
}

function checkBatchSize(size: number): void {
  if (Number.isSafeInteger(size) && size >= 1) return;
  throw new Blip2Error(
    'OPTION_INVALID',
    errorText`${option('batchSize')} is ${size}; it has to be a whole number of at least 1`,
  );
}

/** A path and the bytes of a file can both be iterated: here each is one picture. */
function isSeveral(
  pictures: Picture | Iterable<Picture> | AsyncIterable<Picture>,
): pictures is Iterable<Picture> | AsyncIterable<Picture> {
  if (typeof pictures === 'string' || pictures instanceof Uint8Array) return false;
  return Symbol.iterator in pictures || Symbol.asyncIterator in pictures;
}
