import { randomUUID } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import type { Job, Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import type { Blip2Error } from '../../errors.js';
import type { Tally } from '../run/tally.js';
import type { HandedShard, ShardGiver } from '../work/shard-giver.js';
import type { LockRenewals } from './lock-renewals.js';
import { connectQueue, KEY_PREFIX } from './queue-connection.js';
import { readTask, shortName, type ShardResult } from './queue-data.js';
import type { QueueOptions, RunQueue } from './run-queue.js';

/** Workers that may be lost with a shard in hand before it is set aside. */
const MOST_LOST = 10;
/** How long an empty queue is waited for before it is looked at again. */
const EMPTY_SECONDS = 1;
const CLOSE_MS = 2000;

export interface QueueGiverOptions extends QueueOptions {
  readonly queue: RunQueue;
  readonly renewals: LockRenewals;
  /** What others see as this worker's name. */
  readonly worker: string;
  /** Shards of the run. */
  readonly shards: number;
  /** Whether to wait for more once all shards are done. */
  readonly keep: boolean;
  /** How long a shard stays with a worker that says nothing. */
  readonly lockMs: number;
  /** Once aborted, there are no more shards. */
  readonly stopping: AbortSignal;
  readonly onEvent: (event: QueueEvent) => void;
}

export type QueueEvent =
  | { readonly kind: 'taken' | 'lost' | 'returned'; readonly shard: number }
  | { readonly kind: 'done'; readonly shard: number; readonly result: ShardResult | null }
  | { readonly kind: 'failed'; readonly shard: number; readonly error: Blip2Error }
  | { readonly kind: 'stalled' | 'refused'; readonly task: string }
  | { readonly kind: 'trouble'; readonly reason: string };

/** Takes shards from a run's queue, and has them kept from others. */
export class QueueGiver implements ShardGiver, AsyncDisposable {
  readonly #redis: Redis;
  readonly #worker: Worker;
  readonly #options: QueueGiverOptions;
  readonly #token = randomUUID();
  /** Those that nobody has answered for. */
  readonly #held = new Set<Job>();
  /** Those whose answer has not reached the server. */
  readonly #owed = new Set<Job>();
  #onAnswer = (): void => undefined;

  private constructor(redis: Redis, worker: Worker, options: QueueGiverOptions) {
    this.#redis = redis;
    this.#worker = worker;
    this.#options = options;
    worker.on('error', ({ message }) => options.onEvent({ kind: 'trouble', reason: message }));
    worker.on('stalled', (task) => options.onEvent({ kind: 'stalled', task }));
  }

  /** @throws Blip2Error as `connectQueue` */
  static async open(options: QueueGiverOptions): Promise<QueueGiver> {
    const { packages, redis } = await connectQueue(options.url);
    const worker = new packages.Worker(options.id, null, {
      connection: redis,
      prefix: KEY_PREFIX,
      name: options.worker,
      autorun: false,
      lockDuration: options.lockMs,
      stalledInterval: options.lockMs / 2,
      maxStalledCount: MOST_LOST,
      drainDelay: EMPTY_SECONDS,
    });
    const giver = new QueueGiver(redis, worker, options);
    await worker.waitUntilReady();
    await worker.startStalledCheckTimer();
    return giver;
  }

  async next(): Promise<HandedShard | undefined> {
    const { stopping, keep, id, shards, onEvent, renewals } = this.#options;
    await renewals.started;
    while (!stopping.aborted) {
      // Whose own shards may be the last ones looks again as soon as one is done.
      const looksAgain = !keep && this.#owed.size > 0;
      const answered = new Promise<void>((resolve) => (this.#onAnswer = resolve));
      // The engine's types leave out that there may be none.
      const job: Job | undefined = await this.#worker.getNextJob(this.#token, { block: !looksAgain });
      if (job === undefined) {
        if (!keep && (await this.#isEmpty())) return undefined;
        if (looksAgain) await Promise.race([answered, setTimeout(1000 * EMPTY_SECONDS, undefined, { ref: false })]);
        continue;
      }
      // The signal came while the server was asked.
      if (isAborted(stopping)) {
        await job.moveToWait(this.#token).catch(() => undefined);
        return undefined;
      }
      const task = readTask(job.data, id, shards);
      if (task !== null) return this.#handed(job, task.shard);
      onEvent({ kind: 'refused', task: job.id ?? '' });
      await job.moveToFailed(notOurs(), this.#token).catch(() => undefined);
    }
    return undefined;
  }

  #handed(job: Job, shard: number): HandedShard {
    const { onEvent, renewals, worker } = this.#options;
    const startedMs = performance.now();
    this.#held.add(job);
    this.#owed.add(job);
    const settle = () => {
      this.#owed.delete(job);
      this.#onAnswer();
    };
    const lost = new AbortController();
    const release = renewals.hold({ task: job.id ?? '', token: this.#token }, () => {
      this.#held.delete(job);
      lost.abort();
      settle();
      onEvent({ kind: 'lost', shard });
    });
    onEvent({ kind: 'taken', shard });
    const answer = async (give: () => Promise<unknown>, event: QueueEvent) => {
      release();
      this.#held.delete(job);
      // Without the lock the shard is somebody else's; what was written is the same.
      const isOurs = await give().then(
        () => true,
        () => false,
      );
      settle();
      onEvent(isOurs ? event : { kind: 'lost', shard });
    };
    return {
      shard,
      done: (tally) => {
        const result = tally === null ? null : resultOf(worker, tally, (performance.now() - startedMs) / 1000);
        return answer(() => job.moveToCompleted(result, this.#token, false), { kind: 'done', shard, result });
      },
      fail: (error) => answer(() => job.moveToFailed(error, this.#token), { kind: 'failed', shard, error }),
      giveBack: () => answer(() => job.moveToWait(this.#token), { kind: 'returned', shard }),
      onLost: (abandon) => {
        if (lost.signal.aborted) abandon();
        else lost.signal.addEventListener('abort', abandon);
      },
    };
  }

  async #isEmpty(): Promise<boolean> {
    const { waiting, active } = await this.#options.queue.counts();
    return waiting + active === 0;
  }

  /** What was handed out, and answered for by nobody, is another worker's. */
  async #close(): Promise<void> {
    const held = [...this.#held];
    this.#held.clear();
    await Promise.all(held.map((job) => job.moveToWait(this.#token).catch(() => undefined)));
    await this.#worker.close(true);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // A server that has gone is not waited for.
    await Promise.race([this.#close(), setTimeout(CLOSE_MS, undefined, { ref: false })]);
    this.#redis.disconnect();
  }
}

/** Read anew: it changes while others are waited for. */
const isAborted = (signal: AbortSignal): boolean => signal.aborted;

/** The engine tries again what fails with any other name. */
function notOurs(): Error {
  const error = new Error('this is no shard of the run');
  error.name = 'UnrecoverableError';
  return error;
}

function resultOf(worker: string, { captioned, failed, skipped }: Tally, seconds: number): ShardResult {
  return { worker: shortName(worker), captioned, failed, skipped, seconds };
}
