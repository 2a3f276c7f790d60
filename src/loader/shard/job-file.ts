/**
 * What a run that was stopped or killed leaves beside its shards: the hash of the job. The same job started again keeps
 * the shards that hold, byte for byte, what it would write. While a job runs the file is locked: two jobs in one folder
 * would mix their shards, which have the same names.
 */
import { createHash } from 'node:crypto';
import { readdir, readFile, rm, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { Blip2Error } from '../../errors.js';
import { isIndex } from '../checkpoint/pick-weights.js';
import { openLocked } from '../file/file-lock.js';
import { fileStamp } from '../file/file-stamp.js';
import { writeFailure } from '../file/write-failure.js';
import { isWritten } from '../write/is-written.js';
import { stretchBytesOf, type WriteOptions } from '../write/write-shard.js';
import type { CheckpointJob, Planned } from './planned-shard.js';

const JOB_FILE = '.blip2-shard-job.json';

export class JobFile implements AsyncDisposable {
  readonly #folder: string;
  readonly #job: CheckpointJob;
  readonly #planned: readonly Planned[];
  readonly #options: WriteOptions;
  #key = '';
  #held: FileHandle | undefined;

  constructor(folder: string, job: CheckpointJob, planned: readonly Planned[], options: WriteOptions) {
    this.#folder = folder;
    this.#job = job;
    this.#planned = planned;
    this.#options = options;
  }

  /**
   * Keeps other jobs out of the folder, which is there, until this is disposed of. On Windows there are no such locks.
   * @throws Blip2Error `OUTPUT_BUSY` where another one is at work there; `DISK_FULL`, `WRITE_FAILED`
   */
  async hold(): Promise<void> {
    const handle = await openLocked(this.#path).catch((error: unknown) => {
      throw writeFailure(this.#folder, error);
    });
    if (handle === null)
      throw new Blip2Error('OUTPUT_BUSY', `another job is writing into ${this.#folder}`, {
        hint: 'Give another folder, or wait until it ends.',
      });
    this.#held = handle;
  }

  /**
   * The shards that an earlier run of this job has written and that are still what it wrote, each with how many finite values
   * have become infinite in it: each is read.
   * @throws Blip2Error `OUTPUT_EXISTS` where the folder has weights of something else
   */
  async finished(): Promise<ReadonlyMap<string, number>> {
    this.#key = await this.#keyOf();
    const names = await readdir(this.#folder).catch(() => []);
    const weights = names.filter((name) => name.endsWith('.safetensors') || isIndex(name));
    if (weights.length === 0) return new Map();
    if ((await readFile(this.#path, 'utf8').catch(() => '')) !== this.#text) {
      const listed = weights.slice(0, 3).join(', ');
      throw new Blip2Error('OUTPUT_EXISTS', `${this.#folder} has weights of another job: ${listed}`, {
        hint: 'Give an empty folder, or remove them.',
      });
    }
    const finished = new Map<string, number>();
    const { signal } = this.#options;
    for (const { shard, layout, tensors } of this.#planned) {
      if (!weights.includes(shard.file)) continue;
      const options = { stretchBytes: stretchBytesOf(this.#options), signal };
      const overflowed = await isWritten(join(this.#folder, shard.file), layout, tensors, options);
      if (overflowed !== null) finished.set(shard.file, overflowed);
    }
    return finished;
  }

  /** Where it is there already, the same job wrote it: otherwise the folder has no weights. */
  async write(): Promise<void> {
    try {
      if ((await readFile(this.#path, 'utf8')) === this.#text) return;
      await this.#held?.truncate();
      await this.#held?.appendFile(this.#text);
      await this.#held?.sync();
    } catch (error) {
      throw writeFailure(this.#path, error);
    }
  }

  remove(): Promise<void> {
    return rm(this.#path, { force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const handle = this.#held;
    this.#held = undefined;
    if (handle === undefined) return;
    // A job that was refused leaves nothing.
    if ((await handle.stat()).size === 0) await this.remove();
    await handle.close();
  }

  get #text(): string {
    return `${JSON.stringify({ key: this.#key })}\n`;
  }

  get #path(): string {
    return join(this.#folder, JOB_FILE);
  }

  /** The same for the same output out of the same files: names, sizes and times of the sources, and every header. */
  async #keyOf(): Promise<string> {
    const { source, configDtype } = this.#job;
    const hash = createHash('sha256').update(`${JSON.stringify(configDtype ?? null)}\n`);
    for (const { path } of source.files) hash.update(await fileStamp(path));
    for (const { shard, layout, tensors } of this.#planned) {
      hash.update(`${shard.file}\n`).update(layout.front);
      for (const { source: stored } of tensors.values())
        hash.update(`${JSON.stringify([stored.file, stored.begin])}\n`);
    }
    return hash.digest('hex');
  }
}
