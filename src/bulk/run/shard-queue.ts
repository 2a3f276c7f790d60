import type { ShardJob } from './shard-job.js';

/** Shards that wait for a worker: what a dead worker had comes first, then the others in their order. */
export class ShardQueue {
  readonly #jobs: AsyncIterator<ShardJob, void>;
  readonly #ready: ShardJob[] = [];
  /** Of workers that wait for a shard. */
  readonly #wake = new Set<() => void>();
  /** Done when there is another one, or none any more. */
  #opening: Promise<void> | null = null;
  #hasEnded = false;

  /** @param jobs opens one after the other, when it is asked for */
  constructor(jobs: AsyncIterator<ShardJob, void>) {
    this.#jobs = jobs;
  }

  /**
   * May wait as long as it likes: a model goes on with the pictures that it has.
   * @returns undefined where none waits: one may still come back, and is then its giver's to take
   */
  async take(): Promise<ShardJob | undefined> {
    for (;;) {
      const job = this.#ready.shift();
      if (job !== undefined || this.#hasEnded) return job;
      const cameBack = new Promise<void>((resolve) => this.#wake.add(resolve));
      await Promise.race([(this.#opening ??= this.#open()), cameBack]);
    }
  }

  /** Takes a shard that a dead worker had: for who waits, too, whom another might never come to before this one is done. */
  putBack(job: ShardJob): void {
    this.#ready.push(job);
    this.#ready.sort((a, b) => a.shard - b.shard);
    for (const wake of this.#wake) wake();
    this.#wake.clear();
  }

  /** Whoever waits takes what comes. A failure stays: who asked may be dead. */
  async #open(): Promise<void> {
    const { value } = await this.#jobs.next();
    if (value === undefined) this.#hasEnded = true;
    else this.#ready.push(value);
    this.#opening = null;
  }
}
