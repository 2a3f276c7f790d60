/** What a file holds, by its first bytes. */

/** The containers that are decoded. */
export type PictureFormat = 'JPEG' | 'PNG' | 'WebP' | 'GIF' | 'TIFF' | 'AVIF' | 'BMP' | 'PNM';

/** Bytes of a file that suffice to tell its format. */
export const FORMAT_BYTES = 4096;

/** The format, or undefined where the bytes are of none that is read. */
export function pictureFormat(bytes: Uint8Array): PictureFormat | undefined {
  const text = beginning(bytes);
  if (text.startsWith('\xff\xd8\xff')) return 'JPEG';
  if (text.startsWith('\x89PNG\r\n\x1a\n')) return 'PNG';
  if (text.startsWith('RIFF') && text.startsWith('WEBP', 8)) return 'WebP';
  if (text.startsWith('GIF87a') || text.startsWith('GIF89a')) return 'GIF';
  if (/^(?:II[*+]\0|MM\0[*+])/.test(text)) return 'TIFF';
  // The length of a BMP's second header is one of seven.
  if (/^BM[^]{12}[\f(48@l|]\0\0\0/.test(text)) return 'BMP';
  if (/^P[1-6][\t\n\v\f\r ]+[#\d]/.test(text)) return 'PNM';
  return brands(text).some((brand) => brand === 'avif' || brand === 'avis') ? 'AVIF' : undefined;
}

/** What people call a file that is not read, with its article; undefined where its first bytes are of no known picture. */
export function foreignFormat(bytes: Uint8Array): string | undefined {
  const text = beginning(bytes);
  if (brands(text).some((brand) => /^(?:hei[cxms]|hev[cx])$/.test(brand))) return 'a HEIC picture';
  const start = STARTS.find(([letters]) => letters.some((own) => text.startsWith(own)));
  return start?.[1] ?? PATTERNS.find(([pattern]) => pattern.test(text))?.[1];
}

const STARTS: readonly (readonly [readonly string[], string])[] = [
  [['\xff\x0a', '\0\0\0\x0cJXL '], 'a JPEG XL picture'],
  [['\xff\x4f\xff\x51', '\0\0\0\x0cjP  '], 'a JPEG 2000 picture'],
  [['8BPS'], 'a Photoshop file'],
  [['qoif'], 'a QOI picture'],
  [['%PDF', '%!PS'], 'a page, not a picture'],
  [['\x76\x2f\x31\x01'], 'an OpenEXR picture'],
];
const PATTERNS: readonly (readonly [RegExp, string])[] = [
  [/^BM[^]{4}\0\0\0\0/, 'a BMP of an unknown header'],
  // A TGA begins alike, and counts no pictures there.
  // eslint-disable-next-line no-control-regex -- these are bytes
  [/^\0\0[\x01\x02]\0(?!\0\0)/, 'an icon'],
  [/^P7\s/, 'a PAM picture'],
  [/^P[fF]\s/, 'a PFM picture'],
  [/^(?:\xef\xbb\xbf)?\s*(?:<\?xml[^]*)?<(?:!DOCTYPE )?svg/i, 'an SVG, which has no pixels of its own'],
  [/^(?:\xef\xbb\xbf)?\s*<(?:!DOCTYPE )?html/i, 'a web page'],
];

/** As text of one character per byte. */
const beginning = (bytes: Uint8Array): string => Buffer.from(bytes.subarray(0, FORMAT_BYTES)).toString('latin1');

/** Major and compatible brands of a file in boxes (ISO base media). */
function brands(text: string): string[] {
  if (!text.startsWith('ftyp', 4)) return [];
  const end = Math.min(text.length, Buffer.from(text.slice(0, 4), 'latin1').readUInt32BE(0));
  return [text.slice(8, 12), ...(text.slice(16, end).match(/[^]{4}/g) ?? [])];
}
