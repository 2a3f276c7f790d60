import type { CaptionRecord, PlacedRecord } from '../caption-record.js';
import type { InputPicture } from '../inputs/input-picture.js';
import { isUnchanged, type ReadFile } from '../inputs/read-file.js';
import type { PictureSpool } from './picture-spool.js';
import type { ShardJournal } from './shard-journal.js';

export interface NewShardJob extends Pick<ShardJob, 'shard' | 'first' | 'pictures'> {
  /** Records of an earlier writing that are not to be made again. */
  readonly kept?: readonly (CaptionRecord | undefined)[] | undefined;
  /** Where records are before they count. */
  readonly journal?: ShardJournal;
  /** Where pictures that lie elsewhere are kept until the shard is written. */
  readonly spool?: PictureSpool | undefined;
}

/** A shard on its way: its pictures, and the records that there are. */
export class ShardJob {
  readonly shard: number;
  /** Position of its first picture in the run. */
  readonly first: number;
  readonly pictures: readonly InputPicture[];
  /** Positions whose records come from an earlier writing of the shard. */
  readonly kept: ReadonlySet<number>;
  readonly spool: PictureSpool | undefined;
  /** Position -> what its picture was read from. */
  readonly files = new Map<number, ReadFile>();
  readonly #records: (CaptionRecord | undefined)[];
  readonly #journal: ShardJournal | undefined;
  /** Position -> how often a worker died while it had the picture. */
  readonly #deaths = new Map<number, number>();
  #missing: number;
  #isAbandoned = false;

  private constructor(
    { shard, first, pictures, kept = [], journal, spool }: NewShardJob,
    records: (CaptionRecord | undefined)[],
  ) {
    this.shard = shard;
    this.first = first;
    this.pictures = pictures;
    this.kept = new Set([...kept.keys()].filter((position) => kept[position] !== undefined));
    this.#records = records;
    this.#journal = journal;
    this.spool = spool;
    this.#missing = pictures.filter((_, position) => records[position] === undefined).length;
  }

  static async open(job: NewShardJob): Promise<ShardJob> {
    const { pictures, kept = [], journal } = job;
    const records = pictures.map((_, position) => kept[position]);
    const isWanted = ({ position, record, file }: PlacedRecord) =>
      // Of what failed, the journal of the earlier writing may be there still; of a file that is another now, its caption.
      position < pictures.length &&
      (kept.length === 0 || record.error === '') &&
      (file === undefined || isUnchanged(file));
    const placed = (await journal?.reopen(isWanted)) ?? [];
    for (const { position, record } of placed) records[position] ??= record;
    const opened = new ShardJob(job, records);
    for (const { position, file } of placed) if (file !== undefined) opened.files.set(position, file);
    return opened;
  }

  get isComplete(): boolean {
    return this.#missing === 0 && !this.#isAbandoned;
  }

  /** Whether somebody else has the shard now: what becomes of its pictures here is of no use. */
  get isAbandoned(): boolean {
    return this.#isAbandoned;
  }

  /** Pictures without a record. */
  get missingCount(): number {
    return this.#missing;
  }

  /** Positions without a record, in order. */
  get missing(): number[] {
    return [...this.#records.keys()].filter((position) => this.#records[position] === undefined);
  }

  /** All of them: known once the job is complete. */
  get records(): CaptionRecord[] {
    return this.#records.filter((record) => record !== undefined);
  }

  /** @param file that the picture was read from */
  settle(position: number, record: CaptionRecord, file?: ReadFile): void {
    if (this.#records[position] === undefined) this.#missing -= 1;
    this.#records[position] = record;
    if (file !== undefined) this.files.set(position, file);
    this.#journal?.add({ position, record, ...(file === undefined ? {} : { file }) });
  }

  abandon(): void {
    this.#isAbandoned = true;
  }

  picture(position: number): InputPicture {
    const picture = this.pictures[position];
    if (picture === undefined) throw new RangeError(`shard ${this.shard} has no picture ${position}`);
    return picture;
  }

  /** How often a worker has died while it had the picture. */
  deathsAt(position: number): number {
    return this.#deaths.get(position) ?? 0;
  }

  /** @returns how many times now */
  countDeath(position: number): number {
    const deaths = this.deathsAt(position) + 1;
    this.#deaths.set(position, deaths);
    return deaths;
  }

  /** Waits until the journal has everything that was settled. */
  async flush(): Promise<void> {
    await this.#journal?.flush();
  }
}
