/**
 * The rules that change scores before a token is chosen, in the order transformers applies them: repetition penalty,
 * no repeated n-grams, minimum length. Greedy search and sampling apply them to raw logits, beam search to
 * log-probabilities; that is how `generate` does it, and the penalty gives other results on one than on the other.
 */
import { at } from '../../checked-access.js';
import type { GenerationSettings } from './generation-options.js';
import { placeOf, type ScoreRow } from './score-row.js';

export interface RuledSequence {
  /** Every id so far: what stood there before generation, then the new ones. */
  readonly ids: readonly number[];
  /** How many of `ids` are new. */
  readonly newTokens: number;
}

/** Whether the rules leave logits as they are. */
export function keepsLogits(settings: GenerationSettings, newTokens: number): boolean {
  const { repetitionPenalty, noRepeatNgramSize, minNewTokens } = settings;
  return repetitionPenalty === 1 && noRepeatNgramSize === 0 && newTokens >= minNewTokens;
}

/** Whether the rules lower scores at most. */
export const onlyLowers = ({ repetitionPenalty }: GenerationSettings): boolean => repetitionPenalty >= 1;

/** Changes one row of scores in place. */
export function applyLogitsRules(scores: ScoreRow, sequence: RuledSequence, settings: GenerationSettings): void {
  penalizeRepetition(scores, sequence.ids, settings.repetitionPenalty);
  banRepeatedNgrams(scores, sequence.ids, settings.noRepeatNgramSize);
  if (sequence.newTokens < settings.minNewTokens) {
    for (const id of settings.eosTokenIds) ban(scores, id);
  }
}

/** Once per distinct id: negative scores times the penalty, others divided by it. */
function penalizeRepetition(scores: ScoreRow, ids: readonly number[], penalty: number): void {
  if (penalty === 1) return;
  for (const id of new Set(ids)) {
    const place = placeOf(scores, id);
    if (place === -1) continue;
    const score = at(scores.values, place);
    scores.values[place] = score < 0 ? score * penalty : score / penalty;
  }
}

/** Bans each id that would complete an n-gram which `ids` already holds. */
function banRepeatedNgrams(scores: ScoreRow, ids: readonly number[], size: number): void {
  if (size === 0 || ids.length + 1 < size) return;
  const start = ids.length - size + 1;
  for (let first = 0; first + size <= ids.length; first++) {
    let same = true;
    for (let i = 0; same && i < size - 1; i++) same = ids[first + i] === ids[start + i];
    const next = ids[first + size - 1];
    if (same && next !== undefined) ban(scores, next);
  }
}

function ban(scores: ScoreRow, id: number): void {
  const place = placeOf(scores, id);
  if (place !== -1) scores.values[place] = -Infinity;
}
