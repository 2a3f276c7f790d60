import type { Ask } from './captioner-options.js';
import type { BeamOptions, GreedyOptions } from '../generation/generation-options.js';

/**
 * Options to spread into a call: `captioner.caption(pictures, { ...captionPresets.paper })`.
 *
 * `fast` is greedy search with 20 tokens, the defaults. `paper` is how LAVIS, BLIP-2's first home, captions COCO: five beams,
 * 8 to 30 tokens, and the prompt that its fine-tuned models were trained with; it costs several times as much.
 */
export const captionPresets = {
  fast: { maxNewTokens: 20 },
  paper: { prompt: 'a photo of', numBeams: 5, minNewTokens: 8, maxNewTokens: 30 },
} as const satisfies Record<string, Ask & (GreedyOptions | BeamOptions)>;
