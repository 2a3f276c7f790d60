/** Pictures on their way to a device: made ready ahead of it, and handed over in the order in which they came. */
import { setImmediate, setTimeout } from 'node:timers/promises';

/** A picture that is ready, or the reason why it never will be. */
export type Ready<Given, Made> =
  | { readonly status: 'ready'; readonly given: Given; readonly made: Made; readonly preparedMs: number }
  | { readonly status: 'failed'; readonly given: Given; readonly error: unknown };

interface Entry<Given, Made> {
  ready: Ready<Given, Made> | null;
}

export interface FeedOptions<Given, Made> {
  readonly prepare: (given: Given) => Promise<Made>;
  /** Pictures that are being prepared, or wait for the device. */
  readonly ahead: number;
}

/** A source that gives nothing for so long may wait for what becomes of the pictures it gave. */
const QUIET_MS = 100;

export class PictureFeed<Given, Made> {
  readonly #source: AsyncIterator<Given>;
  readonly #options: FeedOptions<Given, Made>;
  readonly #queue: Entry<Given, Made>[] = [];
  #pulling = false;
  #ended = false;
  #failure: { readonly error: unknown } | null = null;
  #changed: (() => void) | null = null;

  constructor(source: AsyncIterator<Given>, options: FeedOptions<Given, Made>) {
    this.#source = source;
    this.#options = options;
  }

  /**
   * @param most pictures wanted
   * @param least fewer are not taken, unless no more will come; no more than `ahead`
   * @param waits for so many, but no longer than the source gives pictures; else none are taken where there are fewer
   * @returns null once there are no more
   * @throws what the source throws
   */
  async take(most: number, least: number, waits: boolean): Promise<readonly Ready<Given, Made>[] | null> {
    // Runs on a device hold the thread: what is being prepared goes on between them.
    await setImmediate();
    let isQuiet = false;
    for (;;) {
      if (this.#failure !== null) throw this.#failure.error;
      this.#pull();
      const readyCount = this.#readyCount(most);
      const isAll = readyCount === this.#queue.length;
      const isLast = this.#ended && isAll;
      if (readyCount >= least || isLast || (isAll && isQuiet && readyCount > 0)) {
        if (isLast && readyCount === 0) return null;
        const taken = this.#queue.splice(0, readyCount).flatMap(({ ready }) => (ready === null ? [] : [ready]));
        this.#pull();
        return taken;
      }
      if (!waits) return [];
      isQuiet = !(await this.#change());
    }
  }

  /** Whether anything has changed before the source is taken for one that waits itself. */
  async #change(): Promise<boolean> {
    const silence = new AbortController();
    const changed = new Promise<boolean>((resolve) => (this.#changed = () => resolve(true)));
    const quiet = setTimeout(QUIET_MS, false, { signal: silence.signal }).catch(() => false);
    const answer = await Promise.race([changed, quiet]);
    silence.abort();
    return answer;
  }

  #readyCount(most: number): number {
    const first = this.#queue.slice(0, most).findIndex(({ ready }) => ready === null);
    return first === -1 ? Math.min(most, this.#queue.length) : first;
  }

  #pull(): void {
    if (this.#pulling || this.#ended || this.#queue.length >= this.#options.ahead) return;
    this.#pulling = true;
    this.#source.next().then(
      (next) => {
        this.#pulling = false;
        if (next.done === true) this.#ended = true;
        else void this.#prepare(next.value);
        this.#pull();
        this.#notify();
      },
      (error: unknown) => {
        this.#failure = { error };
        this.#notify();
      },
    );
  }

  async #prepare(given: Given): Promise<void> {
    const entry: Entry<Given, Made> = { ready: null };
    this.#queue.push(entry);
    const began = performance.now();
    try {
      const made = await this.#options.prepare(given);
      entry.ready = { status: 'ready', given, made, preparedMs: performance.now() - began };
    } catch (error) {
      entry.ready = { status: 'failed', given, error };
    }
    this.#notify();
  }

  #notify(): void {
    this.#changed?.();
    this.#changed = null;
  }
}
