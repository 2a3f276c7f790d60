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
 * @param logSum of all scores divided by the temperature, where not all are listed and it is known
 * @returns whether what is not listed would have no part in it: always of a whole row
 */
export function applySamplingFilters(
  { ids, values, least }: ScoreRow,
  { temperature, topK, topP }: SamplingFilters,
  logSum: number | null = null,
): boolean {
  // PyTorch holds the divisor as float32 too.
  const divisor = Math.fround(temperature);
  if (temperature !== 1) {
    for (let place = 0; place < values.length; place++) values[place] = at(values, place) / divisor;
  }
  if (ids !== null && topK === 0) return topP < 1 && logSum !== null && keepListedTopP(values, topP, logSum);
  if (ids !== null && topK > values.length) return false;
  if (topK > 0 && (ids !== null || topK < values.length)) {
    const kept = keepTopK(values, topK);
    // Division may round what is below to what is equal, and ties are kept.
    if (ids !== null && kept <= Math.fround(least / divisor)) return false;
  }
  if (topP < 1) keepTopP(values, topP, softmax(values), 0);
  return true;
}

/** More than sums of so many probabilities are off by. */
const ROUNDING = 1e-9;

/** Of the likeliest of a row, where all others go. */
function keepListedTopP(scores: Float32Array, p: number, logSum: number): boolean {
  const probabilities = Float64Array.from(scores, (score) => Math.exp(score - logSum));
  const others = 1 - probabilities.reduce((sum, probability) => sum + probability, 0);
  if (others > 1 - p - ROUNDING) return false;
  keepTopP(scores, p, probabilities, Math.max(0, others));
  return true;
}

/** Keeps what is at least as likely as the k-th, which is returned: ties with it stay, as in transformers. */
function keepTopK(scores: Float32Array, k: number): number {
  const least = greatestButFew(scores, k);
  for (let id = 0; id < scores.length; id++) if (at(scores, id) < least) scores[id] = -Infinity;
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

/**
 * Drops the unlikeliest tokens as long as their sum stays within 1 - p, of equals the first; the likeliest always stays. Numbers are sorted, not
 * places: that takes a third of the time.
 * @param dropped what those that are not among the scores, and less likely, sum to
 */
function keepTopP(scores: Float32Array, p: number, probabilities: Float64Array, dropped: number): void {
  // All those that are so unlikely sum to less than what may still go, and are not worth sorting.
  const surely = (1 - p - dropped) / scores.length;
  let sum = dropped;
  const others: number[] = [];
  for (let id = 0; id < scores.length; id++) {
    const probability = at(probabilities, id);
    if (probability >= surely && probability > 0) {
      others.push(id);
      continue;
    }
    sum += probability;
    scores[id] = -Infinity;
  }
  const ascending = Float32Array.from(others, (id) => at(scores, id)).sort();
  const highest = at(ascending, ascending.length - 1);
  const share = others.reduce((most, id) => Math.max(most, at(probabilities, id)), 0);
  let count = 0;
  for (; count < ascending.length - 1; count++) {
    sum += share * Math.exp(at(ascending, count) - highest);
    if (sum > 1 - p) break;
  }
  const least = at(ascending, count);
  let equals = count - ascending.indexOf(least);
  for (const id of others) {
    const score = at(scores, id);
    if (score < least || (score === least && equals-- > 0)) scores[id] = -Infinity;
  }
}
