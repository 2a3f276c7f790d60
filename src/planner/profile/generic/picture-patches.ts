/** Patches of pictures, which towers work on and several of which become a token of the prompt. */
import { asConfig, numberOf, type AnyConfig } from '../../models/model-config.js';

/** What makes tokens of patches runs on as many rows as there are tokens; sound has no patches. */
export const WITHOUT_PATCHES = /merger|projector|connector|resampler|audio/i;

/** How many patches a token stands for; 1 where config.json does not say. */
export function patchesPerToken(config: AnyConfig): number {
  const vision = asConfig(config['vision_config']);
  const side = numberOf(vision, 'spatial_merge_size') ?? numberOf(config, 'spatial_merge_size', 'scale_factor');
  if (side !== null) return side ** 2;
  const ratio = numberOf(config, 'downsample_ratio') ?? numberOf(vision, 'pixel_shuffle_ratio');
  if (ratio !== null) return ratio ** -2;
  const tokens = numberOf(config, 'mm_tokens_per_image');
  const patches = (numberOf(vision, 'image_size') ?? 0) / (numberOf(vision, 'patch_size') ?? 1);
  return tokens === null ? 1 : Math.max(1, patches ** 2 / tokens);
}

/** Elements of a patch where its position turns queries and keys, which towers of Qwen and GLM do in float32 with all of them. */
export function turnedElements(config: AnyConfig): number {
  const vision = asConfig(config['vision_config']);
  if (numberOf(vision, 'spatial_merge_size') === null) return 0;
  return 22 * (numberOf(vision, 'embed_dim', 'hidden_size') ?? 0);
}
