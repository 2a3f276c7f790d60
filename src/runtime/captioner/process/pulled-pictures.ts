import type { NumberedPicture } from '../../engine/caption-worker.js';
import type { Outcome } from '../../engine/captioner-options.js';
import type { SentPicture } from './messages.js';

/** Pictures asked for at once: between two runs of a device there is time for one message. */
const AT_ONCE = 64;

/** The caller's pictures, as the process that holds the model iterates over them: some are here before they are asked for. */
export class PulledPictures implements AsyncIterator<NumberedPicture> {
  readonly #pull: (most: number) => void;
  readonly #here: NumberedPicture[] = [];
  /** Of those that are not answered. */
  readonly #aborts = new Map<number, AbortController>();
  #isAsked = false;
  #ended = false;
  #arrived: (() => void) | null = null;

  /** @param pull asks the caller, who answers each time with `give` */
  constructor(pull: (most: number) => void) {
    this.#pull = pull;
  }

  async next(): Promise<IteratorResult<NumberedPicture, undefined>> {
    for (;;) {
      if (!this.#isAsked && !this.#ended && this.#here.length < AT_ONCE / 2) {
        this.#isAsked = true;
        this.#pull(AT_ONCE);
      }
      const value = this.#here.shift();
      if (value !== undefined) return { done: false, value };
      if (this.#ended) return { done: true, value: undefined };
      await new Promise<void>((resolve) => (this.#arrived = resolve));
    }
  }

  /** @param pictures none where there are no more */
  give(pictures: readonly SentPicture[]): void {
    this.#isAsked = false;
    if (pictures.length === 0) this.#ended = true;
    for (const picture of pictures) {
      const abort = new AbortController();
      this.#aborts.set(picture.index, abort);
      this.#here.push({ ...picture, signal: abort.signal });
    }
    this.#arrived?.();
    this.#arrived = null;
  }

  /** The caller does not want this one any more. */
  drop(index: number): void {
    this.#aborts.get(index)?.abort();
  }

  answered(outcomes: readonly Outcome[]): void {
    for (const outcome of outcomes) {
      this.#aborts.delete(outcome.status === 'captioned' ? outcome.caption.index : outcome.index);
    }
  }

  /** The caller wants none of them any more. */
  end(): void {
    for (const abort of this.#aborts.values()) abort.abort();
    this.give([]);
  }
}
