/**
 * What sampling does to a row of logits before it draws, in the order of transformers: temperature, top-k, top-p. Removed
 * tokens become -Infinity.
 */
import { softmax } from './softmax.js';

export interface SamplingFilters {
  readonly temperature: number;
  /** 0 for all. */
  readonly topK: number;
  /** 1 for all. */
  readonly topP: number;
}

/** Changes one row of scores, `[vocabSize]`, in place. */
export function applySamplingFilters(scores: Float32Array, { temperature, topK, topP }: SamplingFilters): void {
  if (temperature !== 1) {
    // PyTorch holds the divisor as float32 too.
    const divisor = Math.fround(temperature);
    scores.forEach((score, id) => (scores[id] = score / divisor));
  }
  if (topK > 0 && topK < scores.length) keepTopK(scores, topK);
  if (topP < 1) keepTopP(scores, topP);
}

/** Keeps what is at least as likely as the k-th: ties with it stay, as in transformers. */
function keepTopK(scores: Float32Array, k: number): void {
  const least = scores.toSorted().at(-k) ?? -Infinity;
  scores.forEach((score, id) => {
    if (score < least) scores[id] = -Infinity;
  });
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
