/**
 * What a decoding algorithm needs from a language model: logits after a prompt, then logits after one more id per row.
 *
 * Rows may be reordered, repeated or dropped between steps: `parents[r]` is the row of the step before that row `r`
 * continues. Greedy search drops finished rows this way, beam search reorders them, and both start from one row per
 * picture, whatever the number of beams.
 */
import type { ListedStep } from './shortlist.js';

export interface TokenSource extends TokenSteps<Float32Array> {
  readonly vocabSize: number;
  /** Runs the prompts. Logits of the next id, float32, row-major `[pictures, vocabSize]`. */
  prefill(): Promise<Float32Array>;
  /** Feeds one id per row. Logits of the next id, float32, row-major `[ids.length, vocabSize]`. */
  advance(ids: readonly number[], parents: readonly number[]): Promise<Float32Array>;
  /**
   * The same steps for who wants nothing but the likeliest next id of each row, the lowest of equals: there where the model
   * finds it on its device, which spares the logits their way to the host. `NOT_FINITE` in place of an id where the
   * greatest logit is not finite. Steps of both kinds may follow each other.
   */
  readonly likeliest?: TokenSteps<readonly number[]>;
  /**
   * The same steps for who chooses among the likeliest, where the model finds those on its device.
   * @param divisor of logits in the sums of all: a temperature
   */
  readonly listed?: (divisor: number) => TokenSteps<ListedStep>;
  /**
   * Takes what these rows of the newest step left in caches away, where others could meet it: their numbers are not finite,
   * and a mask does not hide that.
   */
  clear?(rows: readonly number[]): void;
}

export interface TokenSteps<Result> {
  prefill(): Promise<Result>;
  advance(ids: readonly number[], parents: readonly number[]): Promise<Result>;
}
