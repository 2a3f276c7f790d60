import { Blip2Error } from '../../errors.js';
import type { VisionConfig } from '../../model/blip2-config.js';
import type { PictureSize } from '../../model/picture-size.js';
import type { LocalPicture } from './picture-source.js';
import { preparePixels } from './prepare-pixels.js';
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

/**
 * Pictures as one array, `[pictures, 3, height, width]`.
 * @throws Blip2Error `IMAGE_NOT_FOUND`, `IMAGE_UNREADABLE`, or `IMAGE_SIZE` for a picture of another size: the model would
 *   read it with the wrong positions
 */
export async function batchPixels(
  pictures: readonly LocalPicture[],
  { preprocessor, size: { height, width } }: PixelRules,
): Promise<{ data: Float32Array; shape: number[] }> {
  const prepared = await Promise.all(pictures.map((picture) => preparePixels(picture, preprocessor)));
  const size = 3 * height * width;
  const data = new Float32Array(prepared.length * size);
  for (const [index, picture] of prepared.entries()) {
    if (picture.height !== height || picture.width !== width) {
      throw new Blip2Error(
        'IMAGE_SIZE',
        `the checkpoint's picture settings make pictures of ${picture.width} x ${picture.height} pixels; the model reads ${width} x ${height}`,
        {
          hint: 'Check that processor_config.json or preprocessor_config.json belongs to this checkpoint, or say with pictureSize which size is meant.',
          details: { width: picture.width, height: picture.height },
        },
      );
    }
    data.set(picture.data, index * size);
  }
  return { data, shape: [prepared.length, 3, height, width] };
}
