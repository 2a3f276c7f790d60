import type { ListedStep } from './shortlist.js';
import type { TokenSource, TokenSteps } from './token-source.js';

/**
 * A language model whose sequences come and go: where some have ended, the prompts of other pictures begin beside those
 * that go on.
 */
export interface RollingSource<Prompt> extends RollingSteps<Prompt, Float32Array> {
  readonly vocabSize: number;
  /** See `TokenSource`. */
  readonly likeliest?: RollingSteps<Prompt, readonly number[]>;
  /** See `TokenSource`. */
  readonly listed?: (divisor: number) => RollingSteps<Prompt, ListedStep>;
  /** See `TokenSource`. */
  clear?(rows: readonly number[]): void;
}

export interface RollingSteps<Prompt, Result> {
  /**
   * Runs prompts, each a new sequence; the new ones are counted behind those that go on.
   * @param going the sequences of the step before that go on, as `parents` of `advance`
   * @returns what the new ones' next ids are chosen from
   */
  admit(prompt: Prompt, going: readonly number[]): Promise<Result>;
  /** As `TokenSteps.advance`, of all sequences. */
  advance(ids: readonly number[], parents: readonly number[]): Promise<Result>;
}

/** A source whose prompts are given already: nothing joins them. */
export function rollingOnce(source: TokenSource): RollingSource<null> {
  const { vocabSize, likeliest, listed } = source;
  const clear = (rows: readonly number[]): void => source.clear?.(rows);
  return {
    vocabSize,
    clear,
    ...once(source),
    ...(likeliest && { likeliest: once(likeliest) }),
    ...(listed && { listed: (divisor: number) => once(listed(divisor)) }),
  };
}

function once<Result>(steps: TokenSteps<Result>): RollingSteps<null, Result> {
  return { admit: () => steps.prefill(), advance: (ids, parents) => steps.advance(ids, parents) };
}
