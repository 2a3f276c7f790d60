import type { VisionConfig } from '../../model/blip2-config.js';
import type { PictureSize } from '../../model/picture-size.js';
import type { PreprocessorConfig } from './preprocessor-config.js';

/** How pictures become the pixels that a model reads. */
export interface PixelRules {
  readonly preprocessor: PreprocessorConfig;
  /** The only size that the model's graphs read. */
  readonly size: PictureSize;
  /** Of the pixels: that of the device which reads them. */
  readonly float: 'F16' | 'F32';
}

/** `[3, height, width]`, red plane first: float32, or float16 as the bits of each number. */
export type ModelPixels = Float32Array | Uint16Array;

/** @param pictureSize asked for instead of the checkpoint's own size */
export function pixelRules(
  preprocessor: PreprocessorConfig,
  { imageSize }: VisionConfig,
  pictureSize: PictureSize | undefined,
  float: PixelRules['float'] = 'F32',
): PixelRules {
  if (pictureSize === undefined) return { preprocessor, size: { height: imageSize, width: imageSize }, float };
  return { preprocessor: { ...preprocessor, size: pictureSize }, size: pictureSize, float };
}
