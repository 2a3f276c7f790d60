/** Elements that a block keeps between runs, per sequence. */
import type { Engine } from '../../map/engine.js';
import type { CacheShape } from './cache-shape.js';

/** Tokens of a sequence: of its prompt, of what an encoder handed over, and all that are there in the end. */
export interface SequenceTokens {
  readonly prompt: number;
  readonly encoded: number;
  readonly total: number;
}

export interface KeptElements {
  /** The most at any time. */
  readonly most: number;
  /** What a token reads. */
  readonly read: number;
}

/**
 * transformers shortens keys and values to the window as views (5.24): those of the whole prompt stay in memory until a layer has
 * seen the token after it, and from then on as many tokens as the window has.
 */
export function keptElements(
  cache: CacheShape,
  tokens: SequenceTokens,
  elementBytes: number,
  engine: Engine,
): KeptElements {
  const { prompt, encoded, total } = tokens;
  const overlaps = cache.compressors.reduce((sum, each) => sum + (each.overlaps ? each.rate * each.perEntry : 0), 0);
  const float32 = (cache.fixedFloat32 + overlaps) * (4 / elementBytes);
  const fixed = cache.perEncoded * encoded + cache.fixed + overlaps + float32;
  const entries = (count: number): number =>
    cache.compressors.reduce((sum, { rate, perEntry }) => sum + Math.floor(count / rate) * perEntry, 0);
  const waiting = (count: (rate: number) => number): number =>
    cache.compressors.reduce((sum, { rate, perWaiting }) => sum + count(rate) * perWaiting, 0);
  const late =
    cache.perToken * Math.min(total, cache.window ?? Infinity) +
    entries(total) +
    waiting((rate) => Math.min(rate, total));
  const early = cache.perToken * prompt + entries(prompt) + waiting(() => prompt);
  return { most: fixed + (engine === 'transformers' ? Math.max(early, late) : late), read: fixed + late };
}
