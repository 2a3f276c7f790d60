import type { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import { connectQueue, isForgetful, KEY_PREFIX, type QueueConnection } from './queue-connection.js';
import { readResult, taskId, type ShardResult, type ShardTask } from './queue-data.js';

/** Results that are kept, for rates. */
const RESULTS = 1000;
/** Tries of a shard that cannot be finished, with waits between that double; a worker that was lost is no try. */
const ATTEMPTS = 5;
const FIRST_WAIT_MS = 2000;
/** Tasks that are added in one go. */
const ADDED_AT_ONCE = 5000;
/** States in which a task waits to be taken. */
const WAITING = ['wait', 'prioritized', 'delayed'] as const;

export interface QueueOptions {
  readonly url: string;
  /** The run's. */
  readonly id: string;
}

export interface FailedShard {
  readonly task: string;
  readonly reason: string;
}

export interface FinishedTask {
  readonly result: ShardResult;
  readonly atMs: number;
}

/** The shards of one run that wait, are being worked on, or were set aside. */
export class RunQueue implements AsyncDisposable {
  readonly #redis: Redis;
  readonly #queue: Queue;
  readonly #id: string;

  /** @param id the run's */
  constructor({ packages, redis }: QueueConnection, id: string) {
    this.#redis = redis;
    this.#queue = new packages.Queue(id, { connection: redis, prefix: KEY_PREFIX });
    this.#queue.on('error', () => undefined);
    this.#id = id;
  }

  /** @throws Blip2Error as `connectQueue` */
  static async open({ url, id }: QueueOptions): Promise<RunQueue> {
    return new RunQueue(await connectQueue(url), id);
  }

  /** Whether a restart of the server loses the queue. */
  isForgetful(): Promise<boolean> {
    return isForgetful(this.#redis);
  }

  /**
   * Adds shards that are not there yet.
   * @returns how many were added, and how many of the others were set aside earlier
   */
  async add(shards: readonly number[]): Promise<{ added: number; setAside: number }> {
    const there = new Map<string, string>();
    for (const state of [...WAITING, 'active', 'failed', 'completed'] as const) {
      for (const id of await this.#ids(state)) there.set(id, state);
    }
    const wanted = shards.filter((shard) => (there.get(taskId(shard)) ?? 'completed') === 'completed');
    // A result whose file has gone keeps its name taken.
    for (const shard of wanted) if (there.has(taskId(shard))) await this.#queue.remove(taskId(shard));
    for (let begin = 0; begin < wanted.length; begin += ADDED_AT_ONCE) {
      await this.#queue.addBulk(wanted.slice(begin, begin + ADDED_AT_ONCE).map((shard) => this.#task(shard)));
    }
    const setAside = shards.filter((shard) => there.get(taskId(shard)) === 'failed').length;
    return { added: wanted.length, setAside };
  }

  async counts(): Promise<{ waiting: number; active: number; failed: number }> {
    const counts = await this.#queue.getJobCounts(...WAITING, 'active', 'failed');
    const waiting = WAITING.reduce((sum, state) => sum + (counts[state] ?? 0), 0);
    return { waiting, active: counts['active'] ?? 0, failed: counts['failed'] ?? 0 };
  }

  /** The newest results, the newest first. */
  async results(): Promise<FinishedTask[]> {
    const jobs = await this.#queue.getCompleted(0, RESULTS - 1);
    return jobs.flatMap(({ returnvalue, finishedOn }) => {
      const result = readResult(returnvalue);
      return result === null || finishedOn === undefined ? [] : [{ result, atMs: finishedOn }];
    });
  }

  /** Shards that were set aside, and why. */
  async failed(): Promise<FailedShard[]> {
    const jobs = await this.#queue.getFailed();
    return jobs.map(({ id = '', failedReason }) => ({ task: id, reason: failedReason ?? '' }));
  }

  /** Puts those back that were set aside, with all their tries. @returns how many */
  async retry(): Promise<number> {
    const jobs = await this.#queue.getFailed();
    for (const job of jobs) {
      // As new: a task that was lost too often would be set aside again at the next loss.
      await job.remove();
      await this.#queue.add(job.name, job.data, job.opts);
    }
    return jobs.length;
  }

  /** Takes everything out; workers learn of it when they renew what they hold. */
  async cancel(): Promise<void> {
    await this.#queue.obliterate({ force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#queue.close();
    this.#redis.disconnect();
  }

  #task(shard: number) {
    const data: ShardTask = { version: 1, run: this.#id, shard };
    return {
      name: 'shard',
      data,
      opts: {
        jobId: taskId(shard),
        attempts: ATTEMPTS,
        backoff: { type: 'exponential', delay: FIRST_WAIT_MS },
        removeOnComplete: { count: RESULTS },
        stackTraceLimit: 0,
      },
    };
  }

  async #ids(state: (typeof WAITING)[number] | 'active' | 'failed' | 'completed'): Promise<string[]> {
    return this.#queue.getRanges([state], 0, -1);
  }
}
