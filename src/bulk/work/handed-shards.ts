import { Blip2Error, reasonOf } from '../../errors.js';
import type { CaptionRecord } from '../caption-record.js';
import type { ShardJob } from '../run/shard-job.js';
import { Tally } from '../run/tally.js';
import type { HandedShard, ShardGiver } from './shard-giver.js';

/** A process that fails so many shards in a row is what is wrong. */
const MOST_FAILURES = 3;

export interface HandedShardsOptions {
  readonly giver: ShardGiver;
  /** @returns null where the shard is finished already */
  readonly open: (shard: HandedShard) => Promise<ShardJob | null>;
  /**
   * Writes a shard whose records are all there. Writing it twice, from two machines, has to be as good as once.
   * @returns the records as they were written
   */
  readonly write: (job: ShardJob, shard: HandedShard) => Promise<readonly CaptionRecord[]>;
  /** With so many pictures in hand no other shard is taken, so that those are left to others. */
  readonly ahead: number;
  /** Once aborted, no more shards are taken. */
  readonly stopping: AbortSignal;
}

/** Shards that a giver hands out, taken as models have room for them. */
export class HandedShards {
  readonly #options: HandedShardsOptions;
  readonly #inHand = new Map<ShardJob, HandedShard>();
  #failures = 0;
  #changed: (() => void) | undefined;

  constructor(options: HandedShardsOptions) {
    this.#options = options;
    options.stopping.addEventListener('abort', () => this.notice());
  }

  /** Has to be called after each record: there may be room for another shard. */
  notice(): void {
    this.#changed?.();
    this.#changed = undefined;
  }

  /** Writes a shard, and answers for it. */
  async finish(job: ShardJob): Promise<void> {
    const shard = this.#inHand.get(job);
    if (shard === undefined) return;
    const tally = new Tally();
    try {
      await job.flush();
      for (const record of await this.#options.write(job, shard)) tally.add(record);
    } catch (error) {
      this.#inHand.delete(job);
      return this.#fail(shard, error);
    }
    this.#inHand.delete(job);
    this.#failures = 0;
    await shard.done(tally);
  }

  /** Answers for what is still in hand. @param failure what ended the work; undefined where somebody stopped it */
  async end(failure: unknown): Promise<void> {
    for (const shard of this.#inHand.values()) {
      await (failure === undefined || isOtherRun(failure) ? shard.giveBack() : shard.fail(asKnown(failure)));
    }
    this.#inHand.clear();
  }

  /** Opens one after the other, as there is room for it. */
  async *jobs(): AsyncGenerator<ShardJob, void> {
    const { giver, open, stopping } = this.#options;
    for (;;) {
      await this.#room();
      const shard = stopping.aborted ? undefined : await giver.next();
      if (shard === undefined) return;
      const job = await open(shard).catch((error: unknown) => ({ error }));
      if (job !== null && 'error' in job) await this.#fail(shard, job.error);
      else if (job === null) await shard.done(null);
      else {
        this.#inHand.set(job, shard);
        shard.onLost(() => this.#abandon(job));
        yield job;
      }
    }
  }

  async #room(): Promise<void> {
    const { ahead, stopping } = this.#options;
    while (!stopping.aborted && this.#missing() >= ahead) {
      await new Promise<void>((resolve) => (this.#changed = resolve));
    }
  }

  #missing(): number {
    return [...this.#inHand.keys()].reduce((sum, job) => sum + job.missingCount, 0);
  }

  #abandon(job: ShardJob): void {
    job.abandon();
    this.#inHand.delete(job);
    this.notice();
  }

  async #fail(shard: HandedShard, error: unknown): Promise<void> {
    if (isOtherRun(error)) {
      await shard.giveBack();
      throw error;
    }
    await shard.fail(asKnown(error));
    this.#failures += 1;
    if (this.#failures >= MOST_FAILURES) throw error;
  }
}

/** Whether the run's folder is another one's now, or gone: of no shard is there more to be had here. */
const isOtherRun = (error: unknown): boolean =>
  error instanceof Blip2Error && /^RUN_(DIFFERS|MISSING)$/.test(error.code);

function asKnown(error: unknown): Blip2Error {
  if (error instanceof Blip2Error) return error;
  return new Blip2Error('UNEXPECTED', reasonOf(error), { cause: error });
}
