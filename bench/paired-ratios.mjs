import { seededRandom } from './seeded-random.mjs';

const RESAMPLES = 10_000;

/**
 * What the median of paired ratios is, and where 95 % of the medians lie of as many pairs drawn from them anew.
 * @param {readonly number[]} ratios one of each pair
 */
export function medianRatio(ratios) {
  const random = seededRandom(1);
  const medians = Array.from({ length: RESAMPLES }, () =>
    median(ratios.map(() => ratios[Math.floor(random() * ratios.length)])),
  ).sort((a, b) => a - b);
  return { median: median(ratios), low: medians[RESAMPLES * 0.025], high: medians[RESAMPLES * 0.975] };
}

export function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  return (sorted[Math.ceil(middle) - 1] + sorted[Math.floor(middle)]) / 2;
}
