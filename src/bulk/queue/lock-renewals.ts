/**
 * Keeps shards from other workers for as long as this process lives. A thread does it: whatever this one is busy with, a row
 * group that is unpacked or a file that is encoded, may take longer than a lock lasts.
 */
import { Worker } from 'node:worker_threads';
import { receiveError, type SentError } from '../../runtime/sent-error.js';
import type { QueueOptions } from './run-queue.js';

/** What the thread starts with. */
export interface RenewalSettings extends QueueOptions {
  /** How long a shard stays with a worker that says nothing. */
  readonly lockMs: number;
}

/** A task that was taken, and what its taker is known by. */
export interface HeldTask {
  readonly task: string;
  readonly token: string;
}

/** To the thread. */
export type RenewalRequest =
  | { readonly kind: 'hold'; readonly hold: number; readonly held: HeldTask }
  | { readonly kind: 'release'; readonly hold: number };

/** From the thread, first of all that it has started. */
export type RenewalReply =
  | { readonly kind: 'started' }
  /** The server has answered; somebody else may have these now. */
  | { readonly kind: 'renewed'; readonly lost: readonly number[] }
  | { readonly kind: 'trouble'; readonly reason: string }
  | { readonly kind: 'failed'; readonly error: SentError };

export interface RenewalOptions extends RenewalSettings {
  /** The server answered with an error. */
  readonly onTrouble: (reason: string) => void;
}

export class LockRenewals implements AsyncDisposable {
  /** Until locks are renewed. Rejects with a Blip2Error as `connectQueue` throws it. */
  readonly started: Promise<void>;
  readonly #worker: Worker;
  readonly #lockMs: number;
  readonly #onLost = new Map<number, () => void>();
  #holds = 0;
  #renewedMs = performance.now();

  constructor({ url, id, lockMs, onTrouble }: RenewalOptions) {
    const workerData: RenewalSettings = { url, id, lockMs };
    // Flags of this process, such as --input-type, may be of no use to a thread or stop it.
    const worker = new Worker(new URL('./lock-renewal-thread.js', import.meta.url), { workerData, execArgv: [] });
    // What is captioned keeps this process alive.
    worker.unref();
    this.#worker = worker;
    this.#lockMs = lockMs;
    this.started = new Promise((resolve, reject) => {
      worker.once('error', reject).once('message', (reply: RenewalReply) => {
        if (reply.kind === 'failed') reject(receiveError(reply.error));
        else resolve();
      });
    });
    // Whoever waits for it learns of it.
    this.started.catch(() => undefined);
    worker.on('message', (reply: RenewalReply) => {
      if (reply.kind === 'trouble') onTrouble(reply.reason);
      if (reply.kind !== 'renewed') return;
      this.#renewedMs = performance.now();
      for (const hold of reply.lost) this.#lose(hold);
    });
    worker.on('error', ({ message }) => onTrouble(`locks are no longer renewed: ${message}`));
  }

  /** Whether others may have been given what is held: the server has not answered for as long as a lock lasts. */
  get isCutOff(): boolean {
    return performance.now() - this.#renewedMs > this.#lockMs;
  }

  /**
   * Renews a task's lock until it is released.
   * @param onLost called once somebody else may have the task
   * @returns what releases it
   */
  hold(held: HeldTask, onLost: () => void): () => void {
    const hold = this.#holds++;
    this.#onLost.set(hold, onLost);
    this.#ask({ kind: 'hold', hold, held });
    return () => {
      if (this.#onLost.delete(hold)) this.#ask({ kind: 'release', hold });
    };
  }

  #lose(hold: number): void {
    const onLost = this.#onLost.get(hold);
    this.#onLost.delete(hold);
    onLost?.();
  }

  #ask(request: RenewalRequest): void {
    this.#worker.postMessage(request);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.terminate();
  }
}
