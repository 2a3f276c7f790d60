import type { CaptionRecord } from '../caption-record.js';

/** Some words said three times or more without anything between them. */
const REPETITION = /(?:^|\s)(\S+(?:\s+\S+){0,7}?)(?:\s+\1){2,}(?=\s|$)/;

/** How many pictures a run has records of, and what is suspicious about them. */
export class Tally {
  captioned = 0;
  failed = 0;
  skipped = 0;
  /** Captions without a word. */
  empty = 0;
  /** Captions that say the same words over and over. */
  repeated = 0;
  /** Captions that stopped at the most tokens they might have. */
  truncated = 0;

  get done(): number {
    return this.captioned + this.failed + this.skipped;
  }

  add(record: CaptionRecord): void {
    this.#count(record, 1);
  }

  /** Where records have become others since they were added. */
  replace(before: readonly CaptionRecord[], after: readonly CaptionRecord[]): void {
    for (const record of before) this.#count(record, -1);
    for (const record of after) this.#count(record, 1);
  }

  #count({ text, truncated, skipped, error }: CaptionRecord, by: 1 | -1): void {
    if (error !== '') this.failed += by;
    else if (skipped === true) this.skipped += by;
    else this.captioned += by;
    if (text === null) return;
    if (text.trim() === '') this.empty += by;
    if (REPETITION.test(text)) this.repeated += by;
    if (truncated) this.truncated += by;
  }
}
