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

  add({ text, truncated, skipped, error }: CaptionRecord): void {
    if (error !== '') this.failed += 1;
    else if (skipped === true) this.skipped += 1;
    else this.captioned += 1;
    if (text === null) return;
    if (text.trim() === '') this.empty += 1;
    if (REPETITION.test(text)) this.repeated += 1;
    if (truncated) this.truncated += 1;
  }
}
