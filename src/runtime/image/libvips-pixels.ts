/**
 * What libvips makes of a picture, as Pillow's 8-bit RGB. sharp's own conversion agrees with Pillow's `convert("RGB")` for
 * most; CMYK, 16-bit grey and colours that were multiplied by alpha are converted here.
 */
import { getEnvironmentData, setEnvironmentData } from 'node:worker_threads';
import type { Sharp } from 'sharp';
import { firstThree, greyLevels, type RgbPicture } from './rgb-picture.js';
import { MAX_PIXELS } from './picture-refusal.js';

/** Of a thread and of those that it starts from then on. */
const KEEPS_NONE = 'blip2-device-map.keeps-no-pictures';

/**
 * Decoded pictures are read once, and libvips would keep up to 50 MB of them for all threads of a process, which each thread that loads sharp has it
 * do anew. For a process of our own, before it starts threads: a caller's is his affair.
 */
export function keepNoPictures(): void {
  setEnvironmentData(KEEPS_NONE, true);
}

let loading: ReturnType<typeof loadSharp> | undefined;

/** @throws Error where there is no file of it for this machine */
export const loadedSharp = () => (loading ??= loadSharp());

async function loadSharp() {
  const { default: sharp } = await import('sharp');
  if (getEnvironmentData(KEEPS_NONE) === true) sharp.cache(false);
  return sharp;
}

interface OpenOptions {
  /** Whether a JPEG may have any number of damaged places, and of scans, each of which takes as long as a picture. Default false. */
  readonly unlimited?: boolean;
  /** What the file must be free of. Default `error`. */
  readonly failOn?: 'error' | 'warning';
}

/** @throws Error where libvips does not read the header */
export async function openWithLibvips(
  bytes: Uint8Array,
  maxPixels = MAX_PIXELS,
  { unlimited = false, failOn = 'error' }: OpenOptions = {},
): Promise<Sharp> {
  const sharp = await loadedSharp();
  return sharp(bytes, { ignoreIcc: true, failOn, limitInputPixels: maxPixels, unlimited });
}

/** Has the decoder there for the first picture: to load it takes longer than most pictures. Where it is missing, that says so. */
export function loadLibvips(): void {
  loadedSharp().catch(() => undefined);
}

/** Alpha is dropped, not composited. */
export async function plainRgb(picture: Sharp): Promise<RgbPicture> {
  const { data, info } = await picture.removeAlpha().raw().toBuffer({ resolveWithObject: true });
  return { data: firstThree(data, info.channels), width: info.width, height: info.height };
}

/** Colours that were multiplied by alpha are divided by it, as Pillow's "RGBa" is: rounded down, nothing where alpha is 0. */
export async function dividedRgb(picture: Sharp): Promise<RgbPicture> {
  const { data, info } = await picture.raw().toBuffer({ resolveWithObject: true });
  const rgb = new Uint8Array(info.width * info.height * 3);
  for (let pixel = 0; pixel < info.width * info.height; pixel++) {
    const alpha = data[pixel * info.channels + 3] ?? 0;
    if (alpha === 0) continue;
    for (let c = 0; c < 3; c++) {
      const level = data[pixel * info.channels + c] ?? 0;
      rgb[pixel * 3 + c] = Math.min(255, Math.floor((level * 255) / alpha));
    }
  }
  return { data: rgb, width: info.width, height: info.height };
}

/**
 * Pillow's CMYK: each ink times what black leaves, in its rounding division by 255 (`cmyk2rgb` in Convert.c); of 16 bits the
 * upper 8 count.
 */
export async function cmykRgb(picture: Sharp, bits: 8 | 16 = 8): Promise<RgbPicture> {
  // Both are needed: without a CMYK pipeline libvips goes to a device-independent space and back.
  const inks = picture.pipelineColourspace('cmyk').toColourspace('cmyk');
  const { data, info } = await inks
    .raw({ depth: bits === 8 ? 'uchar' : 'ushort' })
    .toBuffer({ resolveWithObject: true });
  const step = bits / 8;
  const rgb = new Uint8Array(info.width * info.height * 3);
  for (let pixel = 0; pixel < info.width * info.height; pixel++) {
    // Samples of 16 bits are little-endian here: their upper byte is the last.
    const ink = (channel: number): number => data[(pixel * info.channels + channel) * step + step - 1] ?? 0;
    const white = 255 - ink(3);
    for (let c = 0; c < 3; c++) {
      const product = ink(c) * white + 128;
      rgb[pixel * 3 + c] = white - (((product >> 8) + product) >> 8);
    }
  }
  return { data: rgb, width: info.width, height: info.height };
}

/**
 * Pillow's "I;16" clips at 255 instead of scaling, so most such pictures turn out nearly white there, and so here.
 * @param inverted levels that libvips turned over, because the file says that white is 0, and Pillow does not
 */
export async function grey16Rgb(picture: Sharp, inverted = false): Promise<RgbPicture> {
  const raw = picture.toColourspace('grey16').raw({ depth: 'ushort' });
  const { data, info } = await raw.toBuffer({ resolveWithObject: true });
  const values = new Uint16Array(data.buffer, data.byteOffset, info.width * info.height * info.channels);
  const levels = new Uint8ClampedArray(info.width * info.height);
  for (let pixel = 0; pixel < levels.length; pixel++) {
    const value = values[pixel * info.channels] ?? 0;
    levels[pixel] = inverted ? 0xffff - value : value;
  }
  return { data: greyLevels(levels), width: info.width, height: info.height };
}
