/**
 * What sampling does to a row of logits before it draws, in the order of transformers: temperature, top-k, top-p. Removed
 * tokens become -Infinity.
 */
import { at } from '../../checked-access.js';
import type { ScoreRow } from './score-row.js';
import { softmax } from './softmax.js';

export interface SamplingFilters {
  readonly temperature: number;
  /** 0 for all. */
  readonly topK: number;
  /** 1 for all. */
  readonly topP: number;
}

/**
 * Changes one row of scores in place.
 * @returns whether what is not listed would have no part in it: always of a whole row
 */
export function applySamplingFilters(
  { ids, values, least }: ScoreRow,
  { temperature, topK, topP }: SamplingFilters,
): boolean {
  // PyTorch holds the divisor as float32 too.
  const divisor = Math.fround(temperature);
  if (temperature !== 1) values.forEach((score, place) => (values[place] = score / divisor));
  if (ids !== null && (topK === 0 || topK > values.length)) return false;
  if (topK > 0 && (ids !== null || topK < values.length)) {
    const kept = keepTopK(values, topK);
    // Division may round what is below to what is equal, and ties are kept.
    if (ids !== null && kept <= Math.fround(least / divisor)) return false;
  }
  if (topP < 1) keepTopP(values, topP);
  return true;
}

/** Keeps what is at least as likely as the k-th, which is returned: ties with it stay, as in transformers. */
function keepTopK(scores: Float32Array, k: number): number {
  const least = greatestButFew(scores, k);
  scores.forEach((score, id) => {
    if (score < least) scores[id] = -Infinity;
  });
  return least;
}

/** The k-th in descending order. Of a large vocabulary few numbers are among the k greatest so far: sorting all takes thirty times as long. */
function greatestButFew(scores: Float32Array, k: number): number {
  const greatest = scores.slice(0, k).sort();
  for (let id = k; id < scores.length; id++) {
    const score = at(scores, id);
    if (score <= at(greatest, 0)) continue;
    let place = 1;
    while (place < k && at(greatest, place) < score) place++;
    greatest.copyWithin(0, 1, place);
    greatest[place - 1] = score;
  }
  return at(greatest, 0);
}

/** Drops the unlikeliest tokens as long as their sum stays within 1 - p; the likeliest always stays. */
function keepTopP(scores: Float32Array, p: number): void {
  const probabilities = softmax(scores);
  const possible = [...scores.keys()].filter((id) => scores[id] !== -Infinity);
  const ascending = possible.sort((a, b) => (scores[a] ?? 0) - (scores[b] ?? 0));
  let sum = 0;
  for (const id of ascending.slice(0, -1)) {
    sum += probabilities[id] ?? 0;
    if (sum > 1 - p) return;
    scores[id] = -Infinity;
  }
}
