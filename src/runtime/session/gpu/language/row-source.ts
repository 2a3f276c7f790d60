/** Sequences as rows of a decoder's caches, whatever the model: who begins, who goes on, and which rows a step runs. */
import type { RollingSource, RollingSteps } from '../../../generation/rolling-source.js';
import type { TokenSource, TokenSteps } from '../../../generation/token-source.js';
import { CacheRows } from './cache-rows.js';
import type { RowCopy } from './cache-slots.js';
import { LIKELIEST, listedOf, logitsOf, type StepResult, type StepRun } from './step-result.js';

/** Prompts that are to begin. */
export interface BegunPrompts {
  /** Tokens that each leaves in its row of the caches. */
  readonly lengths: readonly number[];
  /** Runs them in the rows from `first` on. */
  readonly run: <Result>(first: number, result: StepResult<Result>) => Result;
}

/** What a decoder does for its rows. */
export interface RowModel<Prompt> {
  readonly vocabSize: number;
  readonly listsLogits: boolean;
  /** Makes room in the caches for so many rows of so many tokens. */
  readonly reserve: (rows: number, tokens: number) => void;
  readonly copyRows: (copies: readonly RowCopy[]) => void;
  readonly zeroRows: (rows: readonly number[]) => void;
  /** Rows that a step runs, of which so many are in use. */
  readonly stepRows: (used: number) => number;
  /**
   * Makes room for prompts and what they come to.
   * @param going sequences that go on beside them
   */
  readonly begin: (prompt: Prompt, going: number) => BegunPrompts;
  /**
   * A new token in each of the first rows.
   * @param ids null for a row that is at rest
   * @param past tokens in each row's cache
   */
  readonly step: (ids: readonly (number | null)[], past: readonly number[]) => StepRun;
}

export function rowSource<Prompt>(model: RowModel<Prompt>): RollingSource<Prompt> {
  const rows = new CacheRows();
  const rearrange = (change: (copyRow: (from: number, to: number) => void) => void): void => {
    const copies: RowCopy[] = [];
    change((from, to) => copies.push({ from, to }));
    if (copies.length > 0) model.copyRows(copies);
  };
  const stepsFor = <Result>(result: StepResult<Result>): RollingSteps<Prompt, Result> => ({
    admit: (prompt, going) => {
      // First those that go on, in as few rows as they need: the caches have room for no more than go on together.
      if (going.length > 0) model.reserve(Math.max(going.length, rows.used), rows.length);
      rearrange((copyRow) => rows.continueFrom(going, copyRow));
      rearrange((copyRow) => rows.settle(copyRow));
      const { lengths, run } = model.begin(prompt, going.length);
      return Promise.resolve(run(rows.begin(lengths), result));
    },
    advance: (ids, parents) => {
      model.reserve(Math.max(parents.length, rows.used), rows.length + 1);
      rearrange((copyRow) => rows.continueFrom(parents, copyRow));
      if (model.stepRows(parents.length) < model.stepRows(rows.used)) rearrange((copyRow) => rows.settle(copyRow));
      const count = model.stepRows(rows.used);
      const given = Array.from({ length: count }, (): number | null => null);
      rows.slots.forEach((slot, row) => (given[slot] = ids[row] ?? 0));
      const past = given.map((id, row) => (id === null ? 0 : (rows.lengths[row] ?? 0)));
      const next = result.read(model.step(given, past), rows.slots);
      rows.grow();
      return Promise.resolve(next);
    },
  });
  const { vocabSize } = model;
  const clear = (sequences: readonly number[]): void => model.zeroRows(rows.slotsOf(sequences));
  const listed = model.listsLogits ? { listed: (divisor: number) => stepsFor(listedOf(vocabSize, divisor)) } : {};
  return { vocabSize, clear, ...stepsFor(logitsOf(vocabSize)), likeliest: stepsFor(LIKELIEST), ...listed };
}

/** The same where the prompts are given already. */
export function sourceOf<Prompt>(rolling: RollingSource<Prompt>, prompt: Prompt): TokenSource {
  const { likeliest, listed, ...source } = rolling;
  const stepsOf = <Result>(steps: RollingSteps<Prompt, Result>): TokenSteps<Result> => ({
    prefill: () => steps.admit(prompt, []),
    advance: (ids, parents) => steps.advance(ids, parents),
  });
  return {
    ...source,
    ...stepsOf(source),
    ...(likeliest && { likeliest: stepsOf(likeliest) }),
    ...(listed && { listed: (divisor: number) => stepsOf(listed(divisor)) }),
  };
}
