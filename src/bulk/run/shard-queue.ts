import type { ShardJob } from './shard-job.js';

/** Shards that wait for a worker: what a dead worker had comes first, then the others in their order. */
export class ShardQueue {
  readonly #jobs: AsyncIterator<ShardJob, void>;
  readonly #returned: ShardJob[] = [];
  #next: Promise<unknown> = Promise.resolve();

  /** @param jobs opens one after the other, when it is asked for */
  constructor(jobs: AsyncIterator<ShardJob, void>) {
    this.#jobs = jobs;
  }

  /**
   * May wait as long as it likes: a model goes on with the pictures that it has.
   * @returns undefined where none waits: one may still come back, and is then its giver's to take
   */
  async take(): Promise<ShardJob | undefined> {
    const returned = this.#returned.shift();
    if (returned !== undefined) return returned;
    const next = this.#next.then(() => this.#jobs.next());
    this.#next = next.catch(() => undefined);
    const { value } = await next;
    return value ?? undefined;
  }

  /** Takes a shard that a dead worker had. */
  putBack(job: ShardJob): void {
    this.#returned.push(job);
    this.#returned.sort((a, b) => a.shard - b.shard);
  }
}
