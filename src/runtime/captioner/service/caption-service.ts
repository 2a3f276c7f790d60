/** Pictures that are asked for one by one, by callers who know nothing of each other, and answered together. */
import { Blip2Error } from '../../../errors.js';
import type { CaptionWorker, NumberedPicture } from '../../engine/caption-worker.js';
import type { AnswerToken, Ask, Caption, Outcome } from '../../engine/captioner-options.js';
import { DEFAULT_NEW_TOKENS, type StepOptions } from '../../generation/generation-options.js';
import type { LocalPicture } from '../../image/picture-source.js';

/** What requests may ask for, and how many are answered together. */
export interface ServiceOptions {
  /** Pictures that are decoded at once. `auto`, the default: as many as there is room for. */
  readonly batchSize?: number | 'auto';
  /** The most that a request may ask for. Default 20. */
  readonly maxNewTokens?: number;
  /** The most that a request's text may have, the token included that every text begins with. Default 128. */
  readonly maxTextTokens?: number;
}

const MOST_TEXT_TOKENS = 128;

/** A picture, what is asked of it, and how. */
export interface CaptionRequest {
  /** The bytes of a picture's file, or pixels. */
  readonly image: Exclude<LocalPicture, string>;
  readonly ask: Ask;
  readonly generation: StepOptions;
  /** Which random numbers it draws: with a seed, requests of the same number draw alike. Default: each its own. */
  readonly randomStream?: number;
  /** The answer ends with the token that completes one of these. */
  readonly stopTexts?: readonly string[];
  /** Ends the work on this picture within a token; the request then ends with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Called for every new token. No other request waits for it. */
  readonly onToken?: (token: AnswerToken) => void;
}

interface PendingRequest {
  readonly onToken: CaptionRequest['onToken'];
  readonly resolve: (caption: Caption) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Requests join those that are being answered as soon as the model can take them, and each is answered as soon as it is done.
 * What one is answered depends on nothing but itself. Nothing else may be asked of the captioner meanwhile.
 */
export class CaptionService implements AsyncDisposable {
  readonly #waiting: NumberedPicture[] = [];
  readonly #pending = new Map<number, PendingRequest>();
  readonly #running: Promise<void>;
  #count = 0;
  #closed = false;
  #failure: { readonly error: unknown } | null = null;
  #arrived: (() => void) | null = null;
  #end: (error: unknown) => void = () => undefined;
  /** Resolves with what ended the model, should it end before the service does. */
  readonly ended = new Promise<unknown>((resolve) => (this.#end = resolve));

  constructor(worker: CaptionWorker, options: ServiceOptions = {}) {
    const { batchSize = 'auto', maxNewTokens = DEFAULT_NEW_TOKENS, maxTextTokens = MOST_TEXT_TOKENS } = options;
    const request = { generation: { maxNewTokens }, pictures: batchSize, eager: true, isPaced: false, maxTextTokens };
    const onToken = (token: AnswerToken): void => this.#pending.get(token.index)?.onToken?.(token);
    this.#running = this.#run(worker.captionStream(this.#pictures(), request, { onToken }));
  }

  /** Requests that have no answer yet. */
  get open(): number {
    return this.#pending.size;
  }

  /**
   * @throws Blip2Error `IMAGE_UNREADABLE`, `IMAGE_UNSUPPORTED`, `IMAGE_TOO_LARGE`, `PROMPT_INVALID`, `PROMPT_TOO_LONG`,
   *   `OPTION_INVALID`, `LOGITS_NOT_FINITE`, `PROCESS_ENDED`, `SERVICE_CLOSED`; the signal's reason when aborted
   */
  caption({ signal, onToken, ...asked }: CaptionRequest): Promise<Caption> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) return reject(signal.reason);
      if (this.#failure !== null) return reject(this.#failure.error);
      if (this.#closed) return reject(new Blip2Error('SERVICE_CLOSED', 'no more requests are taken'));
      const index = this.#count++;
      this.#pending.set(index, { onToken, resolve, reject });
      signal?.addEventListener('abort', () => this.#giveUp(index, signal.reason), { once: true });
      const tellsTokens = onToken !== undefined;
      this.#waiting.push({ ...asked, index, tellsTokens, ...(signal === undefined ? {} : { signal }) });
      this.#wake();
    });
  }

  #giveUp(index: number, reason: unknown): void {
    const at = this.#waiting.findIndex((picture) => picture.index === index);
    if (at !== -1) this.#waiting.splice(at, 1);
    this.#take(index)?.reject(reason);
  }

  async *#pictures(): AsyncGenerator<NumberedPicture, void, undefined> {
    for (;;) {
      const next = this.#waiting.shift();
      if (next !== undefined) yield next;
      else if (this.#closed) return;
      else await new Promise<void>((resolve) => (this.#arrived = resolve));
    }
  }

  async #run(stream: AsyncIterable<readonly Outcome[]>): Promise<void> {
    try {
      for await (const outcomes of stream) outcomes.forEach((outcome) => this.#settle(outcome));
    } catch (error) {
      this.#failure = { error };
      for (const index of this.#pending.keys()) this.#take(index)?.reject(error);
      this.#end(error);
    }
  }

  #settle(outcome: Outcome): void {
    if (outcome.status === 'captioned') this.#take(outcome.caption.index)?.resolve(outcome.caption);
    else this.#take(outcome.index)?.reject(outcome.error);
  }

  #take(index: number): PendingRequest | undefined {
    const pending = this.#pending.get(index);
    this.#pending.delete(index);
    return pending;
  }

  #wake(): void {
    this.#arrived?.();
    this.#arrived = null;
  }

  /** Takes no more requests, and waits until those that it has are answered. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#wake();
    await this.#running;
  }
}
