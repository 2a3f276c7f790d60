/**
 * What quantised weights cost in accuracy, as the solver weighs it against time.
 *
 * Weights of normally distributed values, quantised and read back, are off by `WEIGHT_ERROR` of their root mean square
 * (measured with 10^7 of them, scales in float16). What that does to captions depends on the model, so the price is a rule:
 * quantising everything has to save `ACCURACY_PRICE` of the fastest possible time, and a part of the model its part of
 * that. Predictions are not better than 2 %, so nearly equal times leave the floats.
 */
import type { QuantScheme } from '../../tensor/quantized.js';
import type { Prices } from './price-list.js';
import type { Place } from './place.js';
import type { ModelProfile, ProfileBlock } from '../profile/model-profile.js';

export const WEIGHT_ERROR: Readonly<Record<QuantScheme, number>> = { int8: 0.0053, int4: 0.095 };

const ACCURACY_PRICE: Readonly<Record<QuantScheme, number>> = { int8: 0.02, int4: 0.1 };

/**
 * Keys and values that are integers with a scale for each head of a token are off by no more than weights of int8, and have to save as
 * much: a call counts as so many times longer with them.
 */
export const QUANTIZED_CACHES_PRICE = 1 + ACCURACY_PRICE.int8;

/** Milliseconds that a block in a place is charged beyond its time. */
export type AccuracyPrices = (block: ProfileBlock, place: Place) => number;

/** The fastest possible time takes each block where it is fastest, crossings left out. */
export function accuracyPrices(profile: ModelProfile, gpus: Iterable<number>, prices: Prices): AccuracyPrices {
  if (profile.blocks.every((block) => block.forms.size === 0)) return () => 0;
  const places: Place[] = [...gpus].map((gpu) => ({ execution: 'resident', gpu, scheme: null }));
  places.push({ execution: 'host', store: 'cpu', scheme: null });
  let fastestMs = 0;
  let quantizableBytes = 0;
  for (const block of profile.blocks) {
    fastestMs += Math.min(...places.map((place) => prices.blockMs(block, place)));
    quantizableBytes += readBytes(block);
  }
  return (block, { scheme }) =>
    scheme === null ? 0 : (ACCURACY_PRICE[scheme] * fastestMs * readBytes(block)) / quantizableBytes;
}

/** The rule in words, for a plan that may quantise. */
export function accuracyRule(schemes: readonly QuantScheme[]): string[] {
  if (schemes.length === 0) return [];
  const parts = schemes.map((scheme) => `${100 * ACCURACY_PRICE[scheme]} % (${scheme})`);
  return [
    `A block is quantised only where that saves more than its part of ${parts.join(' or ')} of the fastest possible time.`,
  ];
}

/** Bytes that quantising would shrink: those a block reads in a run, if it may be quantised at all. */
function readBytes(block: ProfileBlock): number {
  if (block.forms.size === 0 || block.lookUp !== null) return 0;
  return Math.max(0, ...block.runs.map((run) => run.readBytes));
}
