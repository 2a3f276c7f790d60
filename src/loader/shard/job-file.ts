/**
 * What a run that was stopped or killed leaves beside its shards: which job it was, and the hash of every shard that was
 * finished. The same job started again keeps the shards that still have their hash.
 */
import { createHash } from 'node:crypto';
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Blip2Error } from '../../errors.js';
import { fileStamp } from '../file/file-stamp.js';
import { digestOfFile } from '../write/shard-digest.js';
import { stretches } from '../write/stretches.js';
import { stretchBytesOf, type WriteOptions } from '../write/write-shard.js';
import type { CheckpointJob, Planned } from './planned-shard.js';
import { writeText } from './side-files.js';

export const INDEX = 'model.safetensors.index.json';
const JOB_FILE = '.blip2-shard-job.json';

export class JobFile {
  readonly #folder: string;
  readonly #job: CheckpointJob;
  readonly #planned: readonly Planned[];
  readonly #options: WriteOptions;
  /** Finished shard -> digest. */
  readonly #digests = new Map<string, string>();
  #key = '';
  #written: Promise<void> = Promise.resolve();

  constructor(folder: string, job: CheckpointJob, planned: readonly Planned[], options: WriteOptions) {
    this.#folder = folder;
    this.#job = job;
    this.#planned = planned;
    this.#options = options;
  }

  /**
   * The shards that an earlier run of this job has written and that are still what it wrote: each is read and hashed.
   * @throws Blip2Error `OutputExists` where the folder has weights of something else
   */
  async finished(): Promise<ReadonlySet<string>> {
    this.#key = await this.#keyOf();
    const names = await readdir(this.#folder).catch(() => []);
    const weights = names.filter((name) => name.endsWith('.safetensors') || name === INDEX);
    if (weights.length === 0) return new Set();
    const earlier = await readJob(this.#path);
    if (earlier?.key !== this.#key) {
      const listed = weights.slice(0, 3).join(', ');
      throw new Blip2Error('OutputExists', `${this.#folder} has weights of another job: ${listed}`, {
        hint: 'Give an empty folder, or remove them.',
      });
    }
    for (const { shard, layout, tensors } of this.#planned) {
      const digest = earlier.shards.get(shard.file);
      if (digest === undefined || !weights.includes(shard.file)) continue;
      const list = [...stretches(layout, tensors, stretchBytesOf(this.#options))];
      const now = await digestOfFile(join(this.#folder, shard.file), layout, list, this.#options);
      if (now === digest) this.#digests.set(shard.file, digest);
    }
    return new Set(this.#digests.keys());
  }

  /** One after the other: the file that is written last says all. */
  write(): Promise<void> {
    const text = JSON.stringify({ key: this.#key, shards: Object.fromEntries(this.#digests) });
    this.#written = this.#written.then(() => writeText(this.#path, `${text}\n`));
    return this.#written;
  }

  async add(shard: string, digest: string): Promise<void> {
    this.#digests.set(shard, digest);
    await this.write();
  }

  remove(): Promise<void> {
    return rm(this.#path);
  }

  get #path(): string {
    return join(this.#folder, JOB_FILE);
  }

  /** The same for the same output out of the same files: names, sizes and times of the sources, and every header. */
  async #keyOf(): Promise<string> {
    const { source, configDtype } = this.#job;
    const hash = createHash('sha256').update(`${JSON.stringify([configDtype, stretchBytesOf(this.#options)])}\n`);
    for (const { path } of source.files) hash.update(await fileStamp(path));
    for (const { shard, layout, tensors } of this.#planned) {
      hash.update(`${shard.file}\n`).update(layout.front);
      for (const { source: stored } of tensors.values())
        hash.update(`${JSON.stringify([stored.file, stored.begin])}\n`);
    }
    return hash.digest('hex');
  }
}

interface EarlierJob {
  readonly key: string;
  readonly shards: ReadonlyMap<string, string>;
}

/** null where there is none. */
async function readJob(path: string): Promise<EarlierJob | null> {
  try {
    const job = JSON.parse(await readFile(path, 'utf8')) as { key?: unknown; shards?: unknown } | null;
    if (typeof job?.key !== 'string') return null;
    const digests = Object.entries(job.shards ?? {}).filter(
      (entry): entry is [string, string] => typeof entry[1] === 'string',
    );
    return { key: job.key, shards: new Map(digests) };
  } catch {
    return null;
  }
}
