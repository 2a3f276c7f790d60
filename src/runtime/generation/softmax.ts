/** Probabilities of one row of logits; sums are kept in double precision. */
export function softmax(logits: Float32Array): Float64Array {
  const highest = maximum(logits);
  const powers = Float64Array.from(logits, (logit) => Math.exp(logit - highest));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}

/** Log-probabilities of one row of logits, in float32; null where a logit is not finite. */
export function logSoftmax(logits: Float32Array): Float32Array | null {
  const highest = maximum(logits);
  let sum = 0;
  let sumOfLogits = 0;
  // Beams look at every row of a large vocabulary on every step: loops over indices take half as long as callbacks.
  for (let i = 0; i < logits.length; i++) {
    const logit = logits[i] ?? -Infinity;
    sum += Math.exp(logit - highest);
    sumOfLogits += logit;
  }
  if (!Number.isFinite(sumOfLogits)) return null;
  const shift = highest + Math.log(sum);
  const scores = new Float32Array(logits.length);
  for (let i = 0; i < scores.length; i++) scores[i] = (logits[i] ?? -Infinity) - shift;
  return scores;
}

/** Index of the greatest value, the first of several. */
export function argmax(values: Float32Array): number {
  let best = 0;
  let highest = values[0] ?? -Infinity;
  for (let i = 1; i < values.length; i++) {
    const value = values[i] ?? -Infinity;
    if (value > highest) {
      highest = value;
      best = i;
    }
  }
  return best;
}

function maximum(values: Float32Array): number {
  return values[argmax(values)] ?? -Infinity;
}
