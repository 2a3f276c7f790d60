import { Blip2Error } from '../../errors.js';
import type { CaptionRecord } from '../caption-record.js';
import type { CaptionWorker } from './caption-pictures.js';
import type { ShardJob } from './shard-job.js';
import type { ShardQueue } from './shard-queue.js';
import { Shift } from './shift.js';

/** A worker that dies so often without a caption in between is not killed by a picture. */
const MOST_BARREN_DEATHS = 10;
/** Shards of one worker that are written while it captions the next. */
const MOST_FINISHING = 2;

export interface CaptionShards {
  readonly queue: ShardQueue;
  readonly workers: number;
  readonly openWorker: (worker: number) => Promise<CaptionWorker>;
  /** Writes a shard whose records are all there. */
  readonly finish: (job: ShardJob) => Promise<void>;
  readonly onRecord: (record: CaptionRecord) => void;
  readonly shardSize: number;
  readonly imageRoot?: string | undefined;
  readonly signal: AbortSignal;
}

/**
 * Captions all shards of a queue with as many models as asked for. What a model had when its process ended goes back into
 * the queue and is captioned by a new one; a picture that was there at three deaths becomes a failed record.
 * @throws what a worker throws beside `PROCESS_ENDED`, after what is finished has been written; the signal's reason
 */
export async function captionShards(run: CaptionShards): Promise<void> {
  const failure = new AbortController();
  const stopping: CaptionShards = { ...run, signal: AbortSignal.any([run.signal, failure.signal]) };
  const work = async (worker: number, ready: () => void) => {
    try {
      await new Worker(worker, stopping).work(ready);
    } catch (error) {
      failure.abort(error);
      throw error;
    } finally {
      ready();
    }
  };
  // The first model converts what all need, if anything has to be converted.
  const works: Promise<void>[] = [];
  await new Promise<void>((resolve) => works.push(work(0, resolve)));
  for (let worker = 1; worker < run.workers; worker++) works.push(work(worker, () => undefined));
  const results = await Promise.allSettled(works);
  const failed = results.find((result) => result.status === 'rejected');
  run.signal.throwIfAborted();
  if (failure.signal.aborted) throw failure.signal.reason;
  if (failed !== undefined) throw failed.reason;
}

class Worker {
  readonly #number: number;
  readonly #run: CaptionShards;
  readonly #finishing = new Set<Promise<void>>();
  #barrenDeaths = 0;

  constructor(number: number, run: CaptionShards) {
    this.#number = number;
    this.#run = run;
  }

  async work(ready: () => void): Promise<void> {
    try {
      while ((await this.#life(ready)) === 'died');
    } finally {
      await Promise.all(this.#finishing);
    }
  }

  /** From a model's start to the end of the queue, or of the model. */
  async #life(ready: () => void): Promise<'done' | 'died'> {
    const { openWorker, queue, signal } = this.#run;
    signal.throwIfAborted();
    await using captioner = await openWorker(this.#number);
    ready();
    const shift = new Shift({ ...this.#run, finish: (job) => this.#finish(job) });
    try {
      while (!shift.isDone) {
        for await (const outcome of captioner.caption(shift.pictures(), signal)) {
          this.#barrenDeaths = 0;
          await shift.settle(outcome);
        }
      }
      return 'done';
    } catch (error) {
      if (!(error instanceof Blip2Error && error.code === 'PROCESS_ENDED') || signal.aborted) throw error;
      this.#barrenDeaths += 1;
      if (this.#barrenDeaths >= MOST_BARREN_DEATHS) throw error;
      await shift.bury(error);
      return 'died';
    } finally {
      for (const job of await shift.end()) queue.putBack(job);
    }
  }

  async #finish(job: ShardJob): Promise<void> {
    const finishing = this.#run.finish(job).finally(() => this.#finishing.delete(finishing));
    this.#finishing.add(finishing);
    finishing.catch(() => undefined);
    if (this.#finishing.size > MOST_FINISHING) await Promise.race(this.#finishing);
  }
}
