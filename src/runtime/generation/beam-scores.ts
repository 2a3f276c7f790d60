/** Log-probabilities of rows, for a search that looks at the likeliest of each. */
import { at } from '../../checked-access.js';
import type { GenerationSettings } from './generation-options.js';
import { onlyLowers } from './logits-rules.js';
import { wholeRow, type ScoreRow } from './score-row.js';
import type { ListedStep } from './shortlist.js';
import { logSoftmax } from './softmax.js';
import type { TokenSource, TokenSteps } from './token-source.js';

export interface BeamScores {
  /** Anew each time: rules change it. null where logits are not finite. */
  readonly of: (row: number) => ScoreRow | null;
  /** The same of the whole vocabulary; null where `of` tells of that already. */
  readonly all: (() => BeamScores) | null;
}

/** Listed where the model lists, and no rule raises what is not listed. */
export function beamScores(source: TokenSource, settings: GenerationSettings): TokenSteps<BeamScores> {
  const { listed, vocabSize } = source;
  const whole = (logits: Float32Array) => wholeScores(logits, vocabSize);
  if (listed === undefined || !onlyLowers(settings)) return mapped(source, whole);
  return mapped(listed(1), (step) => listedScores(step, whole));
}

function mapped<From, To>(steps: TokenSteps<From>, to: (from: From) => To): TokenSteps<To> {
  return {
    prefill: async () => to(await steps.prefill()),
    advance: async (ids, parents) => to(await steps.advance(ids, parents)),
  };
}

function wholeScores(logits: Float32Array, vocabSize: number): BeamScores {
  const of = (row: number) => {
    const scores = logSoftmax(logits.subarray(row * vocabSize, (row + 1) * vocabSize));
    return scores && wholeRow(scores);
  };
  return { of, all: null };
}

function listedScores({ rows, logits }: ListedStep, whole: (logits: Float32Array) => BeamScores): BeamScores {
  let made: BeamScores | undefined;
  const all = () => (made ??= whole(logits()));
  const of = (number: number) => {
    const { isFinite, row, logSum } = at(rows, number);
    if (!isFinite) return null;
    if (row === null) return all().of(number);
    return {
      ids: row.ids,
      values: row.values.map((logit) => logit - logSum),
      least: Math.fround(row.least - logSum),
    };
  };
  return { of, all };
}
