/**
 * The rules that change scores before a token is chosen, in the order transformers applies them: repetition penalty,
 * no repeated n-grams, minimum length. Greedy search and sampling apply them to raw logits, beam search to
 * log-probabilities; that is how `generate` does it, and the penalty gives other results on one than on the other.
 */
import type { GenerationSettings } from './generation-options.js';

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

/** Changes one row of scores, `[vocabSize]`, in place. */
export function applyLogitsRules(scores: Float32Array, sequence: RuledSequence, settings: GenerationSettings): void {
  penalizeRepetition(scores, sequence.ids, settings.repetitionPenalty);
  banRepeatedNgrams(scores, sequence.ids, settings.noRepeatNgramSize);
  if (sequence.newTokens < settings.minNewTokens) {
    for (const id of settings.eosTokenIds) ban(scores, id);
  }
}

/** Once per distinct id: negative scores times the penalty, others divided by it. */
function penalizeRepetition(scores: Float32Array, ids: readonly number[], penalty: number): void {
  if (penalty === 1) return;
  for (const id of new Set(ids)) {
    const score = scores[id];
    if (score !== undefined) scores[id] = score < 0 ? score * penalty : score / penalty;
  }
}

/** Bans each id that would complete an n-gram which `ids` already holds. */
function banRepeatedNgrams(scores: Float32Array, ids: readonly number[], size: number): void {
  if (size === 0 || ids.length + 1 < size) return;
  const start = ids.length - size + 1;
  for (let at = 0; at + size <= ids.length; at++) {
    let same = true;
    for (let i = 0; same && i < size - 1; i++) same = ids[at + i] === ids[start + i];
    const next = ids[at + size - 1];
    if (same && next !== undefined) ban(scores, next);
  }
}

function ban(scores: Float32Array, id: number): void {
  if (id < scores.length) scores[id] = -Infinity;
}
