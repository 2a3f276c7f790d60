import { decodePicture, type RgbPicture } from './decode-picture.js';
import type { LocalPicture } from './picture-source.js';
import type { PreprocessorConfig } from './preprocessor-config.js';
import { resizeBicubic } from './resize-bicubic.js';

/** What the vision tower reads: float32, `[3, height, width]`, red plane first. */
export interface PixelValues {
  readonly data: Float32Array;
  readonly height: number;
  readonly width: number;
}

/**
 * A picture as model input: decoded, resized, rescaled and normalised as transformers' Pillow backend does it,
 * value for value.
 * @param source path of a file, the bytes of one, or pixels
 * @throws Blip2Error `IMAGE_NOT_FOUND` or `IMAGE_UNREADABLE`
 */
export async function preparePixels(source: LocalPicture, config: PreprocessorConfig): Promise<PixelValues> {
  const encoded = typeof source === 'string' || source instanceof Uint8Array;
  const picture = encoded ? await decodePicture(source) : source;
  return toPixelValues(config.size ? resizeBicubic(picture, config.size.width, config.size.height) : picture, config);
}

/** Rescales and normalises, and moves the channels to the front. */
function toPixelValues({ data, width, height }: RgbPicture, config: PreprocessorConfig): PixelValues {
  const plane = width * height;
  const values = new Float32Array(3 * plane);
  for (let channel = 0; channel < 3; channel++) {
    const table = levelValues(config, channel);
    for (let pixel = 0; pixel < plane; pixel++) {
      values[channel * plane + pixel] = table[data[pixel * 3 + channel] ?? 0] ?? 0;
    }
  }
  return { data: values, height, width };
}

/**
 * The value of each of the 256 levels of a channel. The order of roundings is NumPy's in transformers: the product in
 * double, then float32; mean and standard deviation as float32; difference and quotient each rounded to float32.
 */
function levelValues({ rescaleFactor, normalize }: PreprocessorConfig, channel: number): Float32Array {
  const { fround } = Math;
  return Float32Array.from({ length: 256 }, (_, level) => {
    const value = fround(level * (rescaleFactor ?? 1));
    if (!normalize) return value;
    return fround(value - fround(normalize.mean[channel] ?? 0)) / fround(normalize.std[channel] ?? 1);
  });
}
