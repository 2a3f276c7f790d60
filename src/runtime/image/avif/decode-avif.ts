/**
 * AVIF as Pillow reads it: the pixels as they are stored, not turned, mirrored or cropped; alpha dropped; chroma interpolated.
 * libheif does otherwise in all three, so it decodes the AV1 data only.
 */
import { greyLevels, type RgbPicture } from '../rgb-picture.js';
import { checkPixels, PictureRefusal } from '../picture-refusal.js';
import { readAvif, type AvifPicture, type ColourCode } from './avif-picture.js';
import { decodePlanes, type Levels, type Planes } from './avif-planes.js';
import { sequenceColour } from './sequence-colour.js';
import { lumaToRgb, matrixOf, yuvToRgb } from './yuv-to-rgb.js';

const IDENTITY = 0;

/** @throws PictureRefusal, RangeError for a file that ends too early, Error where it is not whole */
export async function decodeAvif(bytes: Uint8Array, maxPixels: number): Promise<RgbPicture> {
  const picture = readAvif(bytes);
  checkPixels(picture.width, picture.height, maxPixels);
  const colour = picture.colour ?? sequenceColour(picture.data);
  const { monochrome, halfWidth, bits } = picture;
  if (!monochrome && colour.matrix === IDENTITY && !halfWidth && bits === 8 && colour.fullRange) {
    const { y, u, v, width, height } = await decodePlanes(picture);
    const rgb = new Uint8Array(width * height * 3);
    for (let pixel = 0, to = 0; pixel < y.length; pixel++) {
      rgb[to++] = v[pixel] ?? 0;
      rgb[to++] = y[pixel] ?? 0;
      rgb[to++] = u[pixel] ?? 0;
    }
    return { data: rgb, width, height };
  }
  const grey = monochrome && !picture.hasAlpha;
  // Without colours there is nothing that a matrix could be wrong about.
  const coefficients = monochrome && colour.matrix === IDENTITY ? 6 : colour.matrix;
  const matrix = matrixOf(coefficients, colour.primaries, colour.fullRange);
  if (matrix === undefined) {
    throw PictureRefusal.unsupported(`an AVIF of matrix coefficients ${colour.matrix}, primaries ${colour.primaries}`);
  }
  const planes = await decodePlanes(picture);
  const { width, height } = planes;
  if (grey) return { data: greyRgb(planes, colour), width, height };
  const usual = usualPrecision(picture, planes);
  if (monochrome) return { data: lumaToRgb(usual, matrix), width, height };
  return { data: yuvToRgb(usual, matrix, usual.bits === 12), width, height };
}

/**
 * Levels of 10 and 12 bits are cut to 8, except where there is alpha and libyuv has arithmetic of its own: for 10 bits, and
 * for 12 with chroma of half the columns and rows.
 */
function usualPrecision({ hasAlpha, monochrome, halfHeight }: AvifPicture, planes: Planes): Planes {
  const { y, u, v, bits } = planes;
  if (bits === 8 || (hasAlpha && !monochrome && (bits === 10 || halfHeight))) return planes;
  const cut = (levels: Levels): Levels => Uint8Array.from(levels, (level) => level >> (bits - 8));
  return { ...planes, y: cut(y), u: cut(u), v: cut(v), bits: 8 };
}

/** A picture of grey levels alone is the one that libavif converts by itself, in float32. */
function greyRgb({ y, bits }: Planes, { fullRange }: ColourCode): Uint8Array {
  const { fround } = Math;
  const scale = 2 ** (bits - 8);
  const [bias, range] = fullRange ? [0, 2 ** bits - 1] : [16 * scale, 219 * scale];
  const luma = (level: number): number => Math.min(Math.max(fround((level - bias) / range), 0), 1);
  return greyLevels(Uint8Array.from(y, (level) => Math.floor(fround(0.5 + fround(luma(level) * 255)))));
}
