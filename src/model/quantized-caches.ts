/** Keys and values that are kept as integers of 8 bits, with a scale in float16 for each head of a token. */
import type { TextConfig } from './language-config.js';

/** How a GPU keeps keys and values: in the dtype of its activations, or as integers. */
export const CACHE_FORMS = ['float', 'int8'] as const;
export type CacheForm = (typeof CACHE_FORMS)[number];

export const CACHE_SCALE_BYTES = 2;

/** Bytes of a head's key, or of its value, for one token. */
export const quantizedHeadBytes = (headSize: number): number => headSize + CACHE_SCALE_BYTES;

/** Whether `CachedAttention` takes heads of this width: 16 bytes a lane, and a head in one warp. */
export const hasOwnAttention = (headSize: number): boolean => headSize % 8 === 0 && headSize <= 256;

/** Whether a card with kernels of our own may keep a model's caches as integers: rotary positions have none. */
export const mayQuantizeCaches = (text: TextConfig): boolean =>
  text.family === 'opt' && hasOwnAttention(text.hiddenSize / text.heads);
