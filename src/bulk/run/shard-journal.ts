import { createReadStream } from 'node:fs';
import { appendFile, rm } from 'node:fs/promises';
import { readLines } from '../../loader/file/read-lines.js';
import { replaceFile } from '../../loader/write/replace-file.js';
import { writeFailure } from '../../loader/file/write-failure.js';
import { parsePlacedRecord, type PlacedRecord } from '../caption-record.js';

/**
 * The records of a shard that is not finished, in the order in which they came: a killed run loses only the pictures that were
 * in flight. A file has one writer; another one goes on from what all of them have.
 */
export class ShardJournal {
  readonly #file: string;
  readonly #others: readonly string[];
  #lines: string[] = [];
  #write: Promise<void> = Promise.resolve();

  /** @param others files of other writers */
  constructor(file: string, others: readonly string[] = []) {
    this.#file = file;
    this.#others = others;
  }

  /** What is there and wanted, each position once; the file then holds that and nothing else. */
  async reopen(isWanted: (placed: PlacedRecord) => boolean | Promise<boolean>): Promise<PlacedRecord[]> {
    const found = new Map<number, PlacedRecord>();
    for (const file of [this.#file, ...this.#others]) {
      for await (const placed of readJournal(file)) {
        if (!found.has(placed.position) && (await isWanted(placed))) found.set(placed.position, placed);
      }
    }
    const records = [...found.values()];
    // Without the line that a killed run was writing: what is appended to half a line would be lost with it.
    if (records.length === 0) await rm(this.#file, { force: true });
    else await replaceFile(this.#file, (handle) => handle.writeFile(records.map(journalLine).join('')));
    return records;
  }

  add(placed: PlacedRecord): void {
    this.#lines.push(journalLine(placed));
    if (this.#lines.length > 1) return;
    this.#write = this.#write.then(() => this.#append());
    // Whoever flushes learns of a failure; until then it is nobody's.
    this.#write.catch(() => undefined);
  }

  /** Waits until everything that was added is in the file. */
  async flush(): Promise<void> {
    await this.#write;
  }

  async #append(): Promise<void> {
    const lines = this.#lines;
    this.#lines = [];
    await appendFile(this.#file, lines.join('')).catch((error: unknown) => {
      throw writeFailure(this.#file, error);
    });
  }
}

const journalLine = (placed: PlacedRecord): string => `${JSON.stringify(placed)}\n`;

/** Whole lines only: the last one of a killed run may be cut. */
async function* readJournal(path: string): AsyncGenerator<PlacedRecord, void> {
  try {
    for await (const line of readLines(createReadStream(path))) yield parsePlacedRecord(line);
  } catch {
    // Nothing was written yet, or this is where the killed run was writing.
  }
}
