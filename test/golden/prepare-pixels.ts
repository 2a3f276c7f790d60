import { decodePicture } from '../../src/runtime/image/decode-picture.js';
import { PixelMemory } from '../../src/runtime/image/pixel-memory.js';
import type { LocalPicture } from '../../src/runtime/image/picture-source.js';
import type { PreprocessorConfig } from '../../src/runtime/image/preprocessor-config.js';
import { modelPixels } from '../../src/runtime/image/prepare-pixels.js';
import { resizeWithin } from '../../src/runtime/image/resize-bicubic.js';
import type { RgbPicture } from '../../src/runtime/image/rgb-picture.js';

/** Pixel values in float32 of the size that the settings say, or else of the picture's own. */
export async function preparePixels(source: LocalPicture, preprocessor: PreprocessorConfig) {
  const isFile = typeof source === 'string' || source instanceof Uint8Array;
  const picture = isFile ? await decodePicture(source) : source;
  const { width, height } = preprocessor.size ?? picture;
  const data = await modelPixels(picture, { preprocessor, size: { width, height }, float: 'F32' });
  if (!(data instanceof Float32Array)) throw new Error('not float32');
  return { data, height, width };
}

/** The picture at exactly so many pixels, whatever that does to its proportions. */
export function resizeBicubic(picture: RgbPicture, width: number, height: number): RgbPicture {
  return PixelMemory.use((memory) => {
    const resized = memory.read(resizeWithin(memory, picture, width, height), width * height * 3);
    return { data: new Uint8Array(resized), width, height };
  });
}
