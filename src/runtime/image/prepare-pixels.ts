import { Blip2Error } from '../../errors.js';
import { errorText, option } from '../../error-text.js';
import { convertFloats } from '../../loader/convert/convert-floats.js';
import type { PictureSize } from '../../model/picture-size.js';
import { decodePicture } from './decode-picture.js';
import type { RgbPicture } from './rgb-picture.js';
import type { LocalPicture } from './picture-source.js';
import { PixelMemory } from './pixel-memory.js';
import type { ModelPixels, PixelRules } from './pixel-rules.js';
import type { PreprocessorConfig } from './preprocessor-config.js';
import { resizeWithin } from './resize-bicubic.js';

/**
 * A picture as a model reads it, `[3, height, width]` of the only size that it has: decoded, resized, rescaled and normalised
 * as transformers' Pillow backend does it, value for value.
 * @param source path of a file, the bytes of one, or pixels
 * @throws Blip2Error `IMAGE_NOT_FOUND`, `IMAGE_UNREADABLE`, or `IMAGE_SIZE` for a picture of another size: the model would
 *   read it with the wrong positions
 */
export async function modelPixels(
  source: LocalPicture,
  { preprocessor, size, float, maxPixels }: PixelRules,
): Promise<ModelPixels> {
  const picture = await decoded(source, maxPixels);
  const { width, height } = preprocessor.size ?? picture;
  if (width !== size.width || height !== size.height) {
    throw new Blip2Error(
      'IMAGE_SIZE',
      `the checkpoint's picture settings make pictures of ${width} x ${height} pixels; the model reads ${size.width} x ${size.height}`,
      {
        hint: errorText`Check that processor_config.json or preprocessor_config.json belongs to this checkpoint, or say with ${option('pictureSize')} which size is meant.`,
        details: { width, height },
      },
    );
  }
  const data = float === 'F32' ? new Float32Array(3 * height * width) : new Uint16Array(3 * height * width);
  writeValues(data, picture, size, levelTables(preprocessor, float));
  return data;
}

async function decoded(source: LocalPicture, maxPixels?: number): Promise<RgbPicture> {
  return typeof source === 'string' || source instanceof Uint8Array ? decodePicture(source, maxPixels) : source;
}

/** Resizes, rescales and normalises, and moves the channels to the front. */
function writeValues(
  values: ModelPixels,
  picture: RgbPicture,
  { width, height }: PictureSize,
  levels: ModelPixels,
): void {
  PixelMemory.use((memory) => {
    const resized = resizeWithin(memory, picture, width, height);
    const tables = memory.area(levels.byteLength);
    const target = memory.area(values.byteLength);
    memory.write(tables, levels);
    const kernel = levels instanceof Float32Array ? memory.kernels.pixelValues : memory.kernels.pixelHalves;
    kernel(resized, width * height, tables, target);
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    bytes.set(memory.read(target, values.byteLength));
  });
}

const tablesOf = {
  F32: new WeakMap<PreprocessorConfig, ModelPixels>(),
  F16: new WeakMap<PreprocessorConfig, ModelPixels>(),
};

/** `[3, 256]`: the value of each level of each channel. */
function levelTables(config: PreprocessorConfig, float: PixelRules['float']): ModelPixels {
  const known = tablesOf[float].get(config);
  if (known !== undefined) return known;
  const values = Float32Array.from([0, 1, 2].flatMap((channel) => levelValues(config, channel)));
  const tables = float === 'F32' ? values : halves(values);
  tablesOf[float].set(config, tables);
  return tables;
}

function halves(values: Float32Array): Uint16Array {
  const made = new Uint16Array(values.length);
  convertFloats(new Uint8Array(values.buffer), 'F32', new Uint8Array(made.buffer), 'F16');
  return made;
}

/**
 * The value of each of the 256 levels of a channel. The order of roundings is NumPy's in transformers: the product in
 * double, then float32; mean and standard deviation as float32; difference and quotient each rounded to float32.
 */
function levelValues({ rescaleFactor, normalize }: PreprocessorConfig, channel: number): number[] {
  const { fround } = Math;
  return Array.from({ length: 256 }, (_, level) => {
    const value = fround(level * (rescaleFactor ?? 1));
    if (!normalize) return value;
    return fround(fround(value - fround(normalize.mean[channel] ?? 0)) / fround(normalize.std[channel] ?? 1));
  });
}
