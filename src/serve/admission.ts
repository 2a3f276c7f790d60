import { Blip2Error } from '../errors.js';
import type { ServeLimits } from './limits.js';

/** The place that requests take, from their first byte to the end of their answer. */
export class Admission {
  readonly #limits: Pick<ServeLimits, 'queue' | 'queueBytes'>;
  #requests = 0;
  #bytes = 0;
  #left: (() => void) | null = null;

  constructor(limits: Pick<ServeLimits, 'queue' | 'queueBytes'>) {
    this.#limits = limits;
  }

  get requests(): number {
    return this.#requests;
  }

  /** @throws Blip2Error `QUEUE_FULL` */
  enter(): Admitted {
    if (this.#requests >= this.#limits.queue) {
      throw full(`${this.#requests} requests wait for their answers`, this.#limits.queue);
    }
    this.#requests += 1;
    let kept = 0;
    const keep = (bytes: number): void => {
      this.#hold(bytes - kept);
      kept = bytes;
    };
    return {
      keep,
      [Symbol.dispose]: () => {
        keep(0);
        this.#leave();
      },
    };
  }

  #hold(bytes: number): void {
    if (this.#bytes + bytes > this.#limits.queueBytes) {
      throw full(`the requests that wait have ${this.#bytes} bytes`, this.#limits.queueBytes);
    }
    this.#bytes += bytes;
  }

  #leave(): void {
    this.#requests -= 1;
    if (this.#requests > 0) return;
    this.#left?.();
    this.#left = null;
  }

  /** Until no request is left. */
  async empty(): Promise<void> {
    if (this.#requests > 0) await new Promise<void>((resolve) => (this.#left = resolve));
  }
}

/** The place of one request. */
export interface Admitted extends Disposable {
  /**
   * Says how many bytes it keeps from now on.
   * @throws Blip2Error `QUEUE_FULL`
   */
  readonly keep: (bytes: number) => void;
}

function full(what: string, limit: number): Blip2Error {
  return new Blip2Error('QUEUE_FULL', `${what}, and no more than ${limit} may`, {
    hint: 'Try again a little later.',
    details: { limit },
  });
}
