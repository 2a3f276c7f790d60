import { Blip2Error } from '../../errors.js';
import type { VisionConfig } from '../../model/blip2-config.js';
import type { PictureSize } from '../../model/picture-size.js';
import type { EngineOptions } from '../device/device-options.js';
import { MAX_PIXELS } from './picture-refusal.js';
import type { PreprocessorConfig } from './preprocessor-config.js';

/** How pictures become the pixels that a model reads. */
export interface PixelRules {
  readonly preprocessor: PreprocessorConfig;
  /** The only size that the model's graphs read. */
  readonly size: PictureSize;
  /** Of the pixels: that of the device which reads them. */
  readonly float: 'F16' | 'F32';
  /** Of a picture's file; more are refused. */
  readonly maxPixels?: number;
}

/** `[3, height, width]`, red plane first: float32, or float16 as the bits of each number. */
export type ModelPixels = Float32Array | Uint16Array;

/**
 * @param options.pictureSize asked for instead of the checkpoint's own size
 * @throws Blip2Error `OPTION_INVALID`
 */
export function pixelRules(
  preprocessor: PreprocessorConfig,
  { imageSize }: VisionConfig,
  { pictureSize, maxPixels = MAX_PIXELS }: Pick<EngineOptions, 'pictureSize' | 'maxPixels'>,
  float: PixelRules['float'] = 'F32',
): PixelRules {
  if (!Number.isSafeInteger(maxPixels) || maxPixels < 1 || maxPixels > MAX_PIXELS) {
    throw new Blip2Error(
      'OPTION_INVALID',
      `maxPixels is ${maxPixels}; it has to be a whole number of 1 to ${MAX_PIXELS}`,
    );
  }
  const rules = { float, maxPixels };
  if (pictureSize === undefined) return { ...rules, preprocessor, size: { height: imageSize, width: imageSize } };
  return { ...rules, preprocessor: { ...preprocessor, size: pictureSize }, size: pictureSize };
}
