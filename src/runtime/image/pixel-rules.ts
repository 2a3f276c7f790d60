import type { VisionConfig } from '../../model/blip2-config.js';
import type { PictureSize } from '../../model/picture-size.js';
import type { PreprocessorConfig } from './preprocessor-config.js';

/** How pictures become the pixels that a model reads. */
export interface PixelRules {
  readonly preprocessor: PreprocessorConfig;
  /** The only size that the model's graphs read. */
  readonly size: PictureSize;
}

/** @param pictureSize asked for instead of the checkpoint's own size */
export function pixelRules(
  preprocessor: PreprocessorConfig,
  { imageSize }: VisionConfig,
  pictureSize: PictureSize | undefined,
): PixelRules {
  if (pictureSize === undefined) return { preprocessor, size: { height: imageSize, width: imageSize } };
  return { preprocessor: { ...preprocessor, size: pictureSize }, size: pictureSize };
}
