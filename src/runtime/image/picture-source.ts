import { Blip2Error } from '../../errors.js';
import type { RgbPicture } from './rgb-picture.js';
import { fetchPicture, missingPicture, type FetchOptions } from './fetch-picture.js';
import { pathOfFileUrl } from './file-url.js';
import { readPicture } from './read-picture.js';

/**
 * A picture: path of a file, a URL (as such, or as text that begins with `http:`, `https:`, `file:` or `data:`), the bytes of
 * a file (JPEG, PNG, WebP, GIF, TIFF, AVIF, BMP, PNM), or pixels.
 */
export type PictureSource = string | URL | Uint8Array | RgbPicture;

/** A picture that needs no network: it can be handed to another process. */
export type LocalPicture = string | Uint8Array | RgbPicture;

/** A scheme of two letters or more, so that `C:\picture.png` is a path. */
const URL_TEXT = /^(https?|file|data):/i;

/** Whether a text stands for a picture's URL, not its path. */
export const isUrlText = (text: string): boolean => URL_TEXT.test(text);

/**
 * Fetches what is elsewhere; a path stays a path.
 * @throws Blip2Error `IMAGE_NOT_FOUND` where a server has no such picture or cannot be reached, `IMAGE_TIMEOUT`,
 *   `IMAGE_TOO_LARGE`, `IMAGE_UNREADABLE` for pixels of another number than their size says; the signal's reason when aborted
 */
export async function localPicture(source: PictureSource, options: FetchOptions = {}): Promise<LocalPicture> {
  // Of bytes that were moved elsewhere there are none, which no process or thread can be told by the array itself.
  if (source instanceof Uint8Array) return source.length > 0 ? source : new Uint8Array();
  if (typeof source === 'string') return isUrlText(source) ? localPicture(parseUrl(source), options) : source;
  if (!(source instanceof URL)) return checkedPixels(source);
  if (source.protocol === 'file:') return pictureOfFileUrl(source);
  return fetchPicture(source, options);
}

/** A name that is not UTF-8 cannot be handed on as text: such a file is read at once. */
async function pictureOfFileUrl(url: URL): Promise<LocalPicture> {
  let path: string | Buffer;
  try {
    path = pathOfFileUrl(url);
  } catch (cause) {
    throw missingPicture(url.href, 'is not the URL of a file here', { cause });
  }
  return typeof path === 'string' ? path : readPicture(path);
}

function parseUrl(text: string): URL {
  try {
    return new URL(text);
  } catch (cause) {
    throw missingPicture(text, 'is not a URL', { cause });
  }
}

function checkedPixels(picture: RgbPicture): RgbPicture {
  const { data, width, height } = picture;
  const sizes = [width, height].every((size) => Number.isSafeInteger(size) && size > 0);
  // Without whatever else the caller keeps with them: functions cannot be handed on.
  if (sizes && data.length === width * height * 3) return { data, width, height };
  throw new Blip2Error(
    'IMAGE_UNREADABLE',
    `${data.length} bytes are not ${width} x ${height} pixels of red, green and blue`,
    { hint: 'Pixels are 8-bit RGB, row by row: width * height * 3 bytes, without alpha.' },
  );
}
