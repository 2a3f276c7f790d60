/**
 * A picture file as 8-bit RGB, byte for byte what Pillow's `Image.open(..).convert("RGB")` gives, because that is what
 * BLIP-2 was trained on and what transformers feeds it: alpha is dropped, not composited; EXIF orientation and colour
 * profiles are not applied; of an animation the first frame counts.
 *
 * sharp's own conversion agrees with Pillow for every kind of picture but two, which are converted here: CMYK and
 * 16-bit grey.
 */
import { readFile } from 'node:fs/promises';
import type { Sharp } from 'sharp';
import { Blip2Error } from '../../errors.js';
import { isColourJpeg } from './colour-jpeg.js';

/** 8-bit RGB, row-major `[height, width, 3]`. */
export interface RgbPicture {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
}

/** Beyond this Pillow refuses a picture as a decompression bomb (twice its `MAX_IMAGE_PIXELS`). */
const MAX_PIXELS = 178_956_970;

/**
 * @param source path of a file, or the bytes of one (JPEG, PNG, WebP, GIF, TIFF, AVIF)
 * @throws Blip2Error `IMAGE_NOT_FOUND`, or `IMAGE_UNREADABLE` for anything that is not a whole picture
 */
export async function decodePicture(source: string | Uint8Array): Promise<RgbPicture> {
  const name = typeof source === 'string' ? source : `picture of ${source.length} bytes`;
  // Reading the file here rather than in libvips keeps its cache from answering for a file that has changed since.
  const bytes = typeof source === 'string' ? await readPicture(source) : source;
  try {
    const { default: sharp } = await import('sharp');
    const picture = sharp(bytes, { ignoreIcc: true, failOn: 'error', limitInputPixels: MAX_PIXELS });
    if (!isColourJpeg(bytes)) {
      const { format, space, channels } = await picture.metadata();
      if (format === 'svg') throw new Error('vector graphics have no pixels of their own');
      if (space === 'cmyk') return await decodeCmyk(picture);
      if (space === 'grey16' && channels === 1) return await decodeGrey16(picture);
    }
    const { data, info } = await picture.raw().toBuffer({ resolveWithObject: true });
    return { data: firstThree(data, info.channels), width: info.width, height: info.height };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.trim().split('\n').at(-1) : String(cause);
    throw new Blip2Error('IMAGE_UNREADABLE', `${name} cannot be read as a picture: ${reason}`, {
      hint: 'JPEG, PNG, WebP, GIF, TIFF and AVIF are read; convert anything else, or fetch a damaged file again.',
      cause,
    });
  }
}

async function readPicture(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') {
      throw new Blip2Error('IMAGE_NOT_FOUND', `there is no picture at ${path}`, { cause });
    }
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Blip2Error('IMAGE_UNREADABLE', `${path} cannot be opened: ${reason}`, { cause });
  }
}

/** Drops what comes after the third channel; one or two channels are grey, with or without alpha. */
function firstThree(data: Uint8Array, channels: number): Uint8Array {
  if (channels === 3) return new Uint8Array(data.buffer, data.byteOffset, data.length);
  const rgb = new Uint8Array((data.length / channels) * 3);
  for (let from = 0, to = 0; from < data.length; from += channels, to += 3) {
    for (let c = 0; c < 3; c++) rgb[to + c] = data[from + (channels < 3 ? 0 : c)] ?? 0;
  }
  return rgb;
}

/** Pillow's CMYK: each ink times what black leaves, in its rounding division by 255 (`cmyk2rgb` in Convert.c). */
async function decodeCmyk(picture: Sharp): Promise<RgbPicture> {
  // Both are needed: without a CMYK pipeline libvips goes to a device-independent space and back.
  const raw = picture.pipelineColourspace('cmyk').toColourspace('cmyk').raw({ depth: 'uchar' });
  const { data, info } = await raw.toBuffer({ resolveWithObject: true });
  const rgb = new Uint8Array(info.width * info.height * 3);
  for (let pixel = 0; pixel < info.width * info.height; pixel++) {
    const white = 255 - (data[pixel * info.channels + 3] ?? 0);
    for (let c = 0; c < 3; c++) {
      const product = (data[pixel * info.channels + c] ?? 0) * white + 128;
      rgb[pixel * 3 + c] = white - (((product >> 8) + product) >> 8);
    }
  }
  return { data: rgb, width: info.width, height: info.height };
}

/** Pillow's "I;16" clips at 255 instead of scaling, so most such pictures turn out nearly white there, and so here. */
async function decodeGrey16(picture: Sharp): Promise<RgbPicture> {
  const raw = picture.toColourspace('grey16').raw({ depth: 'ushort' });
  const { data, info } = await raw.toBuffer({ resolveWithObject: true });
  const values = new Uint16Array(data.buffer, data.byteOffset, info.width * info.height);
  const rgb = new Uint8Array(values.length * 3);
  values.forEach((value, pixel) => rgb.fill(Math.min(value, 255), pixel * 3, pixel * 3 + 3));
  return { data: rgb, width: info.width, height: info.height };
}
