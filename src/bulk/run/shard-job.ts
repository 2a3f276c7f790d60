import { createReadStream } from 'node:fs';
import { appendFile, rm } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { replaceFile } from '../../loader/write/replace-file.js';
import { writeFailure } from '../../loader/write/write-failure.js';
import { parsePlacedRecord, type CaptionRecord } from '../caption-record.js';
import type { InputPicture } from '../inputs/input-picture.js';

/**
 * A shard on its way: its pictures, and the records that there are. Each record is in its journal before it counts, so that
 * a killed run loses only the pictures that were in flight.
 */
export class ShardJob {
  readonly shard: number;
  readonly pictures: readonly InputPicture[];
  /** Positions whose records come from an earlier writing of the shard. */
  readonly kept: ReadonlySet<number>;
  readonly #records: (CaptionRecord | undefined)[];
  readonly #journalFile: string;
  /** Position -> how often a worker died while it had the picture. */
  readonly #deaths = new Map<number, number>();
  #missing: number;
  #journalLines: string[] = [];
  #journalWrite: Promise<void> = Promise.resolve();

  private constructor(
    shard: number,
    pictures: readonly InputPicture[],
    records: (CaptionRecord | undefined)[],
    kept: ReadonlySet<number>,
    journalFile: string,
  ) {
    this.shard = shard;
    this.pictures = pictures;
    this.kept = kept;
    this.#records = records;
    this.#journalFile = journalFile;
    this.#missing = pictures.filter((_, position) => records[position] === undefined).length;
  }

  /** @param kept records of an earlier run that are not to be made again */
  static async open(
    shard: number,
    pictures: readonly InputPicture[],
    journalFile: string,
    kept: readonly (CaptionRecord | undefined)[] = [],
  ): Promise<ShardJob> {
    const records = pictures.map((_, position) => kept[position]);
    const lines: string[] = [];
    for await (const { position, record } of readJournal(journalFile)) {
      // Of what failed, the journal of the earlier writing may be there still.
      if (position >= pictures.length || (kept.length > 0 && record.error !== '')) continue;
      records[position] ??= record;
      lines.push(journalLine(position, record));
    }
    // Without the line that a killed run was writing: what is appended to half a line would be lost with it.
    if (lines.length > 0) await replaceFile(journalFile, (handle) => handle.writeFile(lines.join('')));
    else await rm(journalFile, { force: true });
    const keptPositions = new Set([...kept.keys()].filter((position) => kept[position] !== undefined));
    return new ShardJob(shard, pictures, records, keptPositions, journalFile);
  }

  get isComplete(): boolean {
    return this.#missing === 0;
  }

  /** Positions without a record, in order. */
  get missing(): number[] {
    return [...this.#records.keys()].filter((position) => this.#records[position] === undefined);
  }

  /** All of them: known once the job is complete. */
  get records(): CaptionRecord[] {
    return this.#records.filter((record) => record !== undefined);
  }

  settle(position: number, record: CaptionRecord): void {
    if (this.#records[position] === undefined) this.#missing -= 1;
    this.#records[position] = record;
    this.#journalLines.push(journalLine(position, record));
    if (this.#journalLines.length > 1) return;
    this.#journalWrite = this.#journalWrite.then(() => this.#writeJournal());
    // Whoever flushes learns of a failure; until then it is nobody's.
    this.#journalWrite.catch(() => undefined);
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
    await this.#journalWrite;
  }

  async #writeJournal(): Promise<void> {
    const lines = this.#journalLines;
    this.#journalLines = [];
    await appendFile(this.#journalFile, lines.join('')).catch((error: unknown) => {
      throw writeFailure(this.#journalFile, error);
    });
  }
}

const journalLine = (position: number, record: CaptionRecord): string => `${JSON.stringify({ position, record })}\n`;

/** Whole lines only: the last one of a killed run may be cut. */
async function* readJournal(path: string): AsyncGenerator<ReturnType<typeof parsePlacedRecord>, void> {
  const stream = createReadStream(path, 'utf8');
  try {
    for await (const line of createInterface({ input: stream, crlfDelay: Infinity })) yield parsePlacedRecord(line);
  } catch {
    // Nothing was written yet, or this is where the killed run was writing.
  } finally {
    stream.destroy();
  }
}
