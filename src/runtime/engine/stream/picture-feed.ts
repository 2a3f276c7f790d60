/** Pictures on their way to a device: made ready ahead of it, and handed over as they came or as they are ready. */
import { setImmediate } from 'node:timers/promises';

/** A picture that is ready, or the reason why it never will be. */
export type Ready<Given, Made> =
  | { readonly status: 'ready'; readonly given: Given; readonly made: Made; readonly preparedMs: number }
  | { readonly status: 'failed'; readonly given: Given; readonly error: unknown };

interface Entry<Given, Made> {
  ready: Ready<Given, Made> | null;
}

export interface FeedOptions<Given, Made, Kept> {
  readonly prepare: (given: Given) => Promise<Made>;
  /** What is left of a picture that has been prepared: its file's bytes are for nobody then. Default: all. */
  readonly keep?: (given: Given) => Kept;
  /** Pictures that are being prepared, or wait for the device. */
  readonly ahead: number;
  /** Pictures that are being prepared. Default: `ahead`. */
  readonly atOnce?: number;
  /** Whether one that is ready waits for those before it. Default true. */
  readonly inOrder?: boolean;
}

/** A source that gives nothing for so long may wait for what becomes of the pictures it gave. */
const QUIET_MS = 100;

export class PictureFeed<Given extends Kept, Made, Kept = Given> {
  readonly #source: AsyncIterator<Given>;
  readonly #options: FeedOptions<Given, Made, Kept>;
  #queue: Entry<Kept, Made>[] = [];
  #preparing = 0;
  #pulling = false;
  #ended = false;
  #failure: { readonly error: unknown } | null = null;
  #changed: (() => void) | null = null;

  constructor(source: AsyncIterator<Given>, options: FeedOptions<Given, Made, Kept>) {
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
  async take(most: number, least: number, waits: boolean): Promise<readonly Ready<Kept, Made>[] | null> {
    // Runs on a device hold the thread: what is being prepared goes on between them.
    await setImmediate();
    let isQuiet = false;
    for (;;) {
      if (this.#failure !== null) throw this.#failure.error;
      this.#pull();
      const ready = this.#readyEntries(most);
      const isAll = ready.length === this.#queue.length;
      const isLast = this.#ended && isAll;
      if (ready.length >= least || isLast || (isAll && isQuiet && ready.length > 0)) {
        if (isLast && ready.length === 0) return null;
        this.#queue = this.#queue.filter((entry) => !ready.includes(entry));
        this.#pull();
        return ready.flatMap((entry) => entry.ready ?? []);
      }
      if (!waits) return [];
      isQuiet = !(await this.#change());
    }
  }

  /** Whether anything has changed before the source is taken for one that waits itself. */
  async #change(): Promise<boolean> {
    return new Promise((resolve) => {
      const quiet = setTimeout(() => resolve(false), QUIET_MS);
      this.#changed = () => {
        clearTimeout(quiet);
        resolve(true);
      };
    });
  }

  #readyEntries(most: number): Entry<Kept, Made>[] {
    const { inOrder = true } = this.#options;
    const entries = this.#queue.slice(0, inOrder ? most : undefined);
    if (!inOrder) return entries.filter(({ ready }) => ready !== null).slice(0, most);
    const first = entries.findIndex(({ ready }) => ready === null);
    return first === -1 ? entries : entries.slice(0, first);
  }

  #pull(): void {
    const { ahead, atOnce = ahead } = this.#options;
    if (this.#pulling || this.#ended || this.#queue.length >= ahead || this.#preparing >= atOnce) return;
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
    const { prepare, keep } = this.#options;
    const kept = keep === undefined ? given : keep(given);
    const entry: Entry<Kept, Made> = { ready: null };
    this.#queue.push(entry);
    this.#preparing += 1;
    const began = performance.now();
    try {
      const made = await prepare(given);
      entry.ready = { status: 'ready', given: kept, made, preparedMs: performance.now() - began };
    } catch (error) {
      entry.ready = { status: 'failed', given: kept, error };
    }
    this.#preparing -= 1;
    this.#pull();
    this.#notify();
  }

  #notify(): void {
    this.#changed?.();
    this.#changed = null;
  }
}
