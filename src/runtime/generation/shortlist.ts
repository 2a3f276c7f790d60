/** What a device tells of a row of logits, so that the others need no way to the host. */
import type { ScoreRow } from './score-row.js';

export interface Shortlist {
  /** Of all logits of the row. */
  readonly isFinite: boolean;
  /** The greatest logits, those that are equal with them; null where these were too many. */
  readonly row: ScoreRow | null;
  /** Of all: a logit, divided as they were, less it is a log-probability. */
  readonly logSum: number;
}

export interface ListedStep {
  /** Of each sequence. */
  readonly rows: readonly Shortlist[];
  /** All logits, float32 `[sequences, vocabSize]`. Good until the next step. */
  readonly logits: () => Float32Array;
}
