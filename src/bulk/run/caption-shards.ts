import { Blip2Error } from '../../errors.js';
import type { CaptionWorker } from './caption-pictures.js';
import type { ShardJob } from './shard-job.js';
import { Shift, type ShiftOptions } from './shift.js';

/** A worker that dies so often without a caption in between is not killed by a picture. */
const MOST_BARREN_DEATHS = 10;
/** A model that does not start so often in a row has no room here. */
const MOST_FAILED_STARTS = 3;
/** Shards of one worker that are written while it captions the next. */
const MOST_FINISHING = 2;

export interface CaptionShards extends ShiftOptions {
  readonly workers: number;
  readonly openWorker: (worker: number) => Promise<CaptionWorker>;
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
      await new Worker(worker, stopping, (error) => failure.abort(error)).work(ready);
    } catch (error) {
      failure.abort(error);
    } finally {
      ready();
    }
  };
  // The first model converts what all need, if anything has to be converted.
  const works: Promise<void>[] = [];
  await new Promise<void>((resolve) => works.push(work(0, resolve)));
  for (let worker = 1; worker < run.workers; worker++) works.push(work(worker, () => undefined));
  await Promise.all(works);
  run.signal.throwIfAborted();
  failure.signal.throwIfAborted();
}

class Worker {
  readonly #number: number;
  readonly #run: CaptionShards;
  readonly #fail: (error: unknown) => void;
  readonly #finishing = new Set<Promise<void>>();
  #barrenDeaths = 0;

  constructor(number: number, run: CaptionShards, fail: (error: unknown) => void) {
    this.#number = number;
    this.#run = run;
    this.#fail = fail;
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
    const { queue, signal } = this.#run;
    signal.throwIfAborted();
    await using captioner = await this.#open();
    if (captioner === null) return 'died';
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
      await shift.bury(this.#countDeath(error, MOST_BARREN_DEATHS));
      return 'died';
    } finally {
      for (const job of await shift.end()) if (!job.isAbandoned) queue.putBack(job);
    }
  }

  /** @returns null where the model's process ended before there was a model */
  async #open(): Promise<CaptionWorker | null> {
    try {
      return await this.#run.openWorker(this.#number);
    } catch (error) {
      this.#countDeath(error, MOST_FAILED_STARTS);
      return null;
    }
  }

  /** @throws the error, where it is no death or one too many */
  #countDeath(error: unknown, most: number): Blip2Error {
    const isDeath = error instanceof Blip2Error && error.code === 'PROCESS_ENDED' && !this.#run.signal.aborted;
    this.#barrenDeaths += 1;
    if (!isDeath || this.#barrenDeaths >= most) throw error;
    return error;
  }

  /** Goes on with the next shard meanwhile; what fails ends the run. */
  async #finish(job: ShardJob): Promise<void> {
    const finishing = this.#run
      .finish(job)
      .catch((error: unknown) => this.#fail(error))
      .finally(() => this.#finishing.delete(finishing));
    this.#finishing.add(finishing);
    if (this.#finishing.size > MOST_FINISHING) await Promise.race(this.#finishing);
  }
}
