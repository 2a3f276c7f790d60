/**
 * A thread that has the CUDA driver start a card and lock pages for it, while this one goes on: each takes some tenths of a second, in which
 * the driver returns to nobody.
 */
import { Worker } from 'node:worker_threads';
import type { HostRange } from './device-memory.js';

/** What the thread is asked for; null to end. */
export type PagesRequest = { readonly range: HostRange; readonly locks: boolean } | null;
/** Whether the driver did. */
export type PagesReply = boolean;

/** Locks pages for copies to all cards, and unlocks them, elsewhere than in the calling thread. */
export type PageLocker = Pick<DriverThread, 'lockPages' | 'unlockPages'>;

const threads = new Map<number, DriverThread>();

export class DriverThread {
  readonly #worker: Worker;
  /** In the order in which they were asked for. */
  readonly #pending: ((isLocked: boolean | undefined) => void)[] = [];
  #isLost = false;

  private constructor(card: number) {
    this.#worker = new Worker(new URL('./driver-thread-worker.js', import.meta.url), {
      workerData: card,
      execArgv: [],
    });
    this.#worker.unref();
    this.#worker.on('message', (isLocked: PagesReply) => this.#settle(isLocked));
    this.#worker.on('error', () => this.#lose());
    this.#worker.on('exit', () => this.#lose());
  }

  /** For a card that this process is likely to use. Without the CUDA provider's library nothing is started. */
  static start(card: number): void {
    if (!threads.has(card)) threads.set(card, new DriverThread(card));
  }

  /** undefined where none was started. */
  static of(card: number): DriverThread | undefined {
    return threads.get(card);
  }

  /** All of them, once what they were asked for is done. */
  static end(): void {
    for (const thread of threads.values()) thread.#worker.postMessage(null satisfies PagesRequest);
    threads.clear();
  }

  /** @returns whether the driver did; undefined where the thread was lost, or never reached a card */
  lockPages(range: HostRange): Promise<boolean | undefined> {
    return this.#ask({ range, locks: true });
  }

  /** Of a range that was locked. */
  unlockPages(range: HostRange): Promise<boolean | undefined> {
    return this.#ask({ range, locks: false });
  }

  #ask(request: PagesRequest): Promise<boolean | undefined> {
    if (this.#isLost) return Promise.resolve(undefined);
    this.#worker.ref();
    this.#worker.postMessage(request);
    return new Promise((resolve) => this.#pending.push(resolve));
  }

  #settle(isLocked: boolean | undefined): void {
    this.#pending.shift()?.(isLocked);
    if (this.#pending.length === 0) this.#worker.unref();
  }

  #lose(): void {
    this.#isLost = true;
    while (this.#pending.length > 0) this.#settle(undefined);
  }
}
