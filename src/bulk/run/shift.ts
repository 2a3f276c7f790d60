import { Blip2Error } from '../../errors.js';
import { captionedRecord, failedRecord, type CaptionRecord } from '../caption-record.js';
import { isElsewhere, PictureReader, type FoundPicture, type PictureSettings } from '../inputs/picture-reader.js';
import { isPictureError } from '../../runtime/image/picture-error.js';
import type { HandedPicture, Outcome } from './caption-pictures.js';
import { fetchedFile, readFileOf, type ReadFile } from '../inputs/read-file.js';
import type { ShardJob } from './shard-job.js';
import type { ShardQueue } from './shard-queue.js';

/** A picture that a worker died with so often is given up. */
const MOST_DEATHS = 3;

/**
 * Pictures that are on their way with one that a worker died with so often: the more of them, the more come alone once another has died. Many have
 * been read by then that no model ever saw.
 */
const MOST_TOGETHER = [Infinity, 32, 1];

/** Pictures that a reader knows of before it is asked for them. */
const PREPARED = 16;

/** `fetching` is of pictures that an output keeps. */
export interface ShiftOptions extends PictureSettings {
  readonly queue: ShardQueue;
  readonly signal: AbortSignal;
  readonly onRecord: (record: CaptionRecord) => void;
  /** Writes a shard whose records are all there. */
  readonly finish: (job: ShardJob) => Promise<void>;
}

interface Handed {
  readonly job: ShardJob;
  readonly position: number;
  readonly path: string | null;
  readonly file: ReadFile | undefined;
}

/** What one model is given from its start to its end, and what it owes. */
export class Shift {
  readonly #options: ShiftOptions;
  readonly #jobs = new Set<ShardJob>();
  /** Pictures without an outcome, in the order in which they were handed over. */
  readonly #handed: Handed[] = [];
  #current: ShardJob | undefined;
  #isOver = false;
  #isDone = false;

  constructor(options: ShiftOptions) {
    this.#options = options;
  }

  /** Whether nothing is left to hand over. */
  get isDone(): boolean {
    return this.#isDone;
  }

  /** Pictures of one shard after the other; one that may have killed a worker comes with few, and one that may have killed two alone. */
  async *pictures(): AsyncGenerator<HandedPicture, void> {
    await using reader = new PictureReader(this.#options.imageRoot, this.#options.fetching);
    let given = 0;
    let room = Infinity;
    for (;;) {
      const job = this.#current ?? (await this.#take());
      this.#current = job;
      if (job === undefined) return;
      const missing = job.missing;
      for (const [index, position] of missing.entries()) {
        if (job.isAbandoned) break;
        reader.prepare(missing.slice(index, index + PREPARED).map((next) => job.picture(next)));
        room = Math.min(room, MOST_TOGETHER[job.deathsAt(position)] ?? 1);
        if (given >= room) return;
        const handed = await this.#handOver(job, position, reader);
        if (this.#isOver) return;
        if (handed === null) continue;
        given += 1;
        yield handed;
        if (given >= room) return;
      }
      this.#current = undefined;
      // Where none of its pictures could be read.
      await this.#finishComplete(job);
    }
  }

  async #take(): Promise<ShardJob | undefined> {
    const job = await this.#options.queue.take();
    if (job === undefined) this.#isDone = true;
    else if (this.#isOver) this.#options.queue.putBack(job);
    else this.#jobs.add(job);
    return this.#isOver ? undefined : job;
  }

  async #handOver(job: ShardJob, position: number, reader: PictureReader): Promise<HandedPicture | null> {
    const picture = job.picture(position);
    let path: string | null = null;
    try {
      const found = await reader.find(picture);
      path = found.path;
      const before = await readFileOf(picture, found);
      const { source, file = before } = await this.#load(job, position, reader, found);
      if (!this.#isOver) this.#handed.push({ job, position, path, file });
      return { source, randomStream: job.first + position };
    } catch (error) {
      if (!isPictureError(error)) throw error;
      if (!this.#isOver) this.#record(job, position, failedRecord(picture, path, error));
      return null;
    }
  }

  /** Whatever the model is handed by address it fetches itself, and what an output keeps is fetched here, once. */
  async #load(
    { spool }: ShardJob,
    position: number,
    reader: PictureReader,
    found: FoundPicture,
  ): Promise<{ readonly source: string | Uint8Array; readonly file?: ReadFile }> {
    if (spool === undefined || !isElsewhere(found)) return { source: await reader.load(found) };
    const kept = await spool.read(position);
    const bytes = kept ?? (await reader.fileBytes(found, this.#options.signal));
    if (kept === null) await spool.put(position, bytes);
    return { source: bytes, file: fetchedFile(bytes) };
  }

  async settle(outcome: Outcome): Promise<void> {
    const handed = this.#handed.shift();
    if (handed === undefined) throw new Error('an outcome without a picture');
    const { job, position, path, file } = handed;
    const picture = job.picture(position);
    const record =
      outcome.status === 'captioned'
        ? captionedRecord(picture, path, outcome.answers)
        : failedRecord(picture, path, outcome.error);
    this.#record(job, position, record, file);
    await this.#finishComplete(job);
  }

  /** Counts a death against every picture that was in flight. */
  async bury(cause: Blip2Error): Promise<void> {
    this.#isOver = true;
    for (const { job, position, path } of this.#handed) {
      if (job.countDeath(position) < MOST_DEATHS) continue;
      const message = `the model's process ended ${MOST_DEATHS} times with this picture in it: ${cause.message}`;
      this.#record(job, position, failedRecord(job.picture(position), path, new Blip2Error('WORKER_DIED', message)));
      await this.#finishComplete(job);
    }
  }

  /** @returns the jobs that are not complete, their journals written */
  async end(): Promise<ShardJob[]> {
    this.#isOver = true;
    const jobs = [...this.#jobs].filter((job) => !job.isComplete);
    for (const job of jobs) await job.flush();
    return jobs;
  }

  #record(job: ShardJob, position: number, record: CaptionRecord, file?: ReadFile): void {
    if (job.isAbandoned) return;
    job.settle(position, record, file);
    this.#options.onRecord(record);
  }

  async #finishComplete(job: ShardJob): Promise<void> {
    if (!job.isComplete || !this.#jobs.delete(job)) return;
    await this.#options.finish(job);
  }
}
