/** Outcomes in the order of their pictures, and no more pictures on their way than may be. */
import { askedPicture } from '../engine/asked-picture.js';
import type { NumberedPicture } from '../engine/caption-worker.js';
import type { Ask, Outcome, Picture } from '../engine/captioner-options.js';
import type { FetchOptions } from '../image/fetch-picture.js';

export class OutcomeLine {
  readonly #most: number;
  readonly #here = new Map<number, Outcome>();
  #given = 0;
  #passed = 0;
  #freed: (() => void) | null = null;
  #isClosed = false;

  /** @param most pictures that were given and have not passed */
  constructor(most: number) {
    this.#most = most;
  }

  /** Pictures that have passed. */
  get passed(): number {
    return this.#passed;
  }

  /** The pictures, numbered, as long as there is place; one that cannot be had ends here. */
  async *admitted(
    pictures: Iterable<Picture> | AsyncIterable<Picture>,
    ask: Ask,
    fetching: FetchOptions,
  ): AsyncGenerator<NumberedPicture, void, undefined> {
    for await (const picture of pictures) {
      const index = this.#given++;
      while (!this.#isClosed && index - this.#passed >= this.#most)
        await new Promise<void>((resolve) => (this.#freed = resolve));
      if (this.#isClosed) return;
      try {
        yield { index, ...(await askedPicture(picture, ask, fetching)) };
      } catch (error) {
        fetching.signal?.throwIfAborted();
        this.add([{ status: 'failed', index, error }]);
      }
    }
  }

  /** Nobody takes outcomes any more: `admitted` ends, and lets go of the pictures, once it has the one that it waits for. */
  close(): void {
    this.#isClosed = true;
    this.#free();
  }

  add(outcomes: readonly Outcome[]): void {
    for (const outcome of outcomes) {
      this.#here.set(outcome.status === 'captioned' ? outcome.caption.index : outcome.index, outcome);
    }
  }

  /** Those that nobody stands before. */
  *next(): Generator<Outcome, void, undefined> {
    for (;;) {
      const outcome = this.#here.get(this.#passed);
      if (outcome === undefined) return;
      this.#here.delete(this.#passed);
      this.#passed += 1;
      this.#free();
      yield outcome;
    }
  }

  #free(): void {
    this.#freed?.();
    this.#freed = null;
  }
}
