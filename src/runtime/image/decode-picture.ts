/**
 * A picture file as 8-bit RGB, byte for byte what Pillow's `Image.open(..).convert("RGB")` gives, because that is what
 * BLIP-2 was trained on: alpha is dropped, not composited, though transformers 5.24 lays a picture that still knows its
 * transparency on white; EXIF orientation counts in TIFF alone; colour profiles are not applied; of an animation the first
 * frame counts. What cannot be had so is refused.
 *
 * libvips reads JPEG, PNG and WebP as Pillow does. Where it does not, containers have a decoder of their own.
 */
import { Blip2Error } from '../../errors.js';
import { inLine } from './file-url.js';
import { decodeAvif } from './avif/decode-avif.js';
import { decodeBmp } from './bmp/decode-bmp.js';
import { damageReason } from './damage-reason.js';
import { decodeGif } from './gif/decode-gif.js';
import { checkJpegEnd } from './jpeg/jpeg-end.js';
import { readJpegHeader } from './jpeg/jpeg-header.js';
import { checkPngHeader } from './png/check-png-header.js';
import { decodePnm } from './pnm/decode-pnm.js';
import { decodeTiff } from './tiff/decode-tiff.js';
import { decodedHere } from './libvips-here.js';
import { cmykRgb, grey16Rgb, openWithLibvips, plainRgb } from './libvips-pixels.js';
import { foreignFormat, pictureFormat } from './picture-format.js';
import { MAX_PIXELS, PictureRefusal } from './picture-refusal.js';
import { readPicture } from './read-picture.js';
import type { RgbPicture } from './rgb-picture.js';

/**
 * @param source path of a file, or the bytes of one (JPEG, PNG, WebP, GIF, TIFF, AVIF, BMP, PNM)
 * @throws Blip2Error `IMAGE_NOT_FOUND`; `IMAGE_UNREADABLE` for anything that is not a whole picture; `IMAGE_UNSUPPORTED` for
 *   one whose pixels could not be Pillow's; `IMAGE_TOO_LARGE` for one of more than `maxPixels`
 */
export async function decodePicture(source: string | Uint8Array, maxPixels = MAX_PIXELS): Promise<RgbPicture> {
  // Reading the file here rather than in libvips keeps its cache from answering for a file that has changed since.
  const bytes = typeof source === 'string' ? await readPicture(source) : source;
  try {
    return await decodeBytes(bytes, maxPixels);
  } catch (cause) {
    throw refused(typeof source === 'string' ? inLine(source) : null, bytes, cause, maxPixels);
  }
}

async function decodeBytes(bytes: Uint8Array, maxPixels: number): Promise<RgbPicture> {
  const format = pictureFormat(bytes);
  if (format === undefined) {
    const kind = foreignFormat(bytes);
    const reason = bytes.length === 0 ? 'it is empty' : 'its bytes are of no known picture';
    throw kind === undefined ? new Error(reason) : PictureRefusal.unsupported(kind);
  }
  if (format === 'GIF') return decodeGif(bytes, maxPixels);
  if (format === 'TIFF') return decodeTiff(bytes, maxPixels);
  if (format === 'AVIF') return decodeAvif(bytes, maxPixels);
  if (format === 'BMP') return decodeBmp(bytes, maxPixels);
  if (format === 'PNM') return decodePnm(bytes, maxPixels);
  if (format === 'JPEG') return decodeJpeg(bytes, maxPixels);
  if (format === 'PNG') checkPngHeader(bytes);
  const plain = decodedHere(bytes, maxPixels);
  if (plain !== null) return plain;
  const picture = await openWithLibvips(bytes, maxPixels);
  const { space, channels } = await picture.metadata();
  if (space === 'grey16' && (channels === 1 || isGreyPng(bytes))) return grey16Rgb(picture);
  return plainRgb(picture);
}

async function decodeJpeg(bytes: Uint8Array, maxPixels: number): Promise<RgbPicture> {
  const header = readJpegHeader(bytes);
  checkJpegEnd(bytes, header);
  const unlimited = !header.hasManyScans;
  const plain = decodedHere(bytes, maxPixels, unlimited);
  if (plain !== null) return plain;
  const picture = await openWithLibvips(bytes, maxPixels, { unlimited });
  return header.channels === 4 ? cmykRgb(picture) : plainRgb(picture);
}

/** Whether a PNG's pixels are grey levels without alpha, although one of them may stand for "transparent". */
const isGreyPng = (bytes: Uint8Array): boolean => bytes[25] === 0;

/** @param path null for bytes, which know no name: whoever has one adds it */
function refused(path: string | null, bytes: Uint8Array, cause: unknown, maxPixels: number): Blip2Error {
  const [name, details] = path === null ? [`picture of ${bytes.length} bytes`, {}] : [path, { picture: path }];
  const message = cause instanceof Error ? cause.message : String(cause);
  const refusal = message.includes('exceeds pixel limit') ? PictureRefusal.tooLarge(maxPixels) : cause;
  if (refusal instanceof PictureRefusal) {
    return new Blip2Error(refusal.code, `${name} ${refusal.message}`, { hint: refusal.hint, details, cause });
  }
  const reason =
    cause instanceof RangeError && message.includes('DataView')
      ? 'it ends too early'
      : damageReason(message, pictureFormat(bytes));
  return new Blip2Error('IMAGE_UNREADABLE', `${name} cannot be read as a picture: ${reason}`, {
    hint: 'JPEG, PNG, WebP, GIF, TIFF, AVIF, BMP and PNM are read; convert anything else, or fetch a damaged file again.',
    details,
    cause,
  });
}
