import { Blip2Error } from '../errors.js';
import type { Captioner } from '../runtime/captioner/captioner.js';
import type { Caption } from '../runtime/engine/captioner-options.js';
import type { CaptionRequest, CaptionService, ServiceOptions } from '../runtime/captioner/service/caption-service.js';

/** A model that ends so often in so long a time is not started again. */
const MOST_ENDS = 5;
const WITHIN_MS = 600_000;

export interface KeptModelOptions extends ServiceOptions {
  /** Makes the checkpoint ready. */
  readonly open: () => Promise<Captioner>;
  /** Called for each end that is followed by another start. */
  readonly onRestart: (error: unknown) => void;
}

/** A model that is started again where its process ends, as it does when memory runs out or a driver fails. */
export class KeptModel implements AsyncDisposable {
  readonly #options: KeptModelOptions;
  readonly #endsMs: number[] = [];
  #captioner: Captioner;
  #service: CaptionService | null;
  #isDisposed = false;
  #lose: (error: unknown) => void = () => undefined;
  /** Resolves with the reason once the model is given up. */
  readonly lost = new Promise<unknown>((resolve) => (this.#lose = resolve));

  private constructor(captioner: Captioner, options: KeptModelOptions) {
    this.#options = options;
    this.#captioner = captioner;
    this.#service = this.#serve(captioner);
  }

  /** @throws what `open` throws */
  static async start(options: KeptModelOptions): Promise<KeptModel> {
    return new KeptModel(await options.open(), options);
  }

  get isReady(): boolean {
    return this.#service !== null;
  }

  /** @throws Blip2Error `MODEL_STARTING`; as `CaptionService.caption` */
  caption(request: CaptionRequest): Promise<Caption> {
    if (this.#service !== null) return this.#service.caption(request);
    return Promise.reject(
      new Blip2Error('MODEL_STARTING', 'the model has ended and is being started again', {
        hint: 'Try again a little later.',
      }),
    );
  }

  #serve(captioner: Captioner): CaptionService {
    const service = captioner.service(this.#options);
    void service.ended.then((error) => this.#restart(error));
    return service;
  }

  async #restart(error: unknown): Promise<void> {
    this.#service = null;
    try {
      await this.#captioner[Symbol.asyncDispose]();
      if (this.#isDisposed) return;
      this.#captioner = await this.#openAgain(error);
    } catch (reason) {
      return this.#lose(reason);
    }
    this.#service = this.#serve(this.#captioner);
    if (this.#isDisposed) await this[Symbol.asyncDispose]();
  }

  /** What ended a model may still be there: one that ends while it starts has ended once more. */
  async #openAgain(error: unknown): Promise<Captioner> {
    const now = performance.now();
    this.#endsMs.push(now);
    if (this.#endsMs.filter((ms) => now - ms < WITHIN_MS).length >= MOST_ENDS) throw error;
    this.#options.onRestart(error);
    return this.#options.open().catch((reason: unknown) => {
      if (reason instanceof Blip2Error && reason.code === 'PROCESS_ENDED' && !this.#isDisposed)
        return this.#openAgain(reason);
      throw reason;
    });
  }

  /** Answers what it was asked, and ends. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isDisposed = true;
    await this.#service?.[Symbol.asyncDispose]();
    await this.#captioner[Symbol.asyncDispose]();
  }
}
