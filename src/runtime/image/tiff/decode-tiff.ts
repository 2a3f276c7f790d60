/**
 * TIFF as Pillow reads it: it turns a TIFF by its orientation, which it does for no other container, and reads the kinds of
 * pixels that its table `OPEN_INFO` names. The others are refused, as there, and so are those that libvips reads otherwise.
 */
import type { Sharp } from 'sharp';
import type { RgbPicture } from '../rgb-picture.js';
import { cmykRgb, dividedRgb, grey16Rgb, openWithLibvips, plainRgb } from '../libvips-pixels.js';
import { PictureRefusal } from '../picture-refusal.js';
import { forLibvips, joinTiles } from './for-libvips.js';
import { readTiffTags, type TiffTags } from './tiff-tags.js';

type Pixels = 'plain' | 'divided' | 'grey16' | 'inverted grey16' | 'cmyk8' | 'cmyk16';

/** None, CCITT, groups 3 and 4, LZW, JPEG, Deflate under both numbers, PackBits. */
const COMPRESSIONS = new Set([1, 2, 3, 4, 5, 7, 8, 32946, 32773]);
const [NO_COMPRESSION, JPEG_COMPRESSION] = [1, 7];
/** Of these, those that count runs: the fax groups and PackBits. */
const RUNS = new Set([2, 3, 4, 32773]);

/** @throws PictureRefusal, RangeError for a file that ends too early, Error where libvips cannot decode it */
export async function decodeTiff(bytes: Uint8Array, maxPixels: number): Promise<RgbPicture> {
  const tags = readTiffTags(bytes);
  const pixels = pixelsOf(tags);
  if (pixels === undefined) throw PictureRefusal.unsupported(described(tags));
  // Where the runs of a row do not end with it, libvips reads long strips otherwise than Pillow, row by row; of that libtiff warns.
  const failOn = RUNS.has(tags.compression) ? 'warning' : 'error';
  const page = await openWithLibvips(forLibvips(bytes, tags, maxPixels), maxPixels, { failOn });
  const picture = await decoded(page, pixels);
  return turnPicture(joinTiles(picture, tags), orientationOf(tags));
}

async function decoded(picture: Sharp, pixels: Pixels): Promise<RgbPicture> {
  switch (pixels) {
    case 'plain':
      return plainRgb(picture);
    case 'divided':
      return dividedRgb(picture);
    case 'cmyk8':
      return cmykRgb(picture);
    case 'cmyk16':
      return cmykRgb(picture, 16);
    case 'grey16':
    case 'inverted grey16':
      return grey16Rgb(picture, pixels === 'inverted grey16');
  }
}

const [ASSOCIATED, UNASSOCIATED] = [1, 2];
const [WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, CMYK, YCC] = [0, 1, 2, 3, 5, 6];

/** How the pixels are to be read; undefined for kinds that are not. */
function pixelsOf(tags: TiffTags): Pixels | undefined {
  const { photometric, bitsPerSample, compression, fillOrder, planar, sampleFormat } = tags;
  const [bits = 0, ...otherBits] = bitsPerSample;
  if (!COMPRESSIONS.has(compression) || otherBits.some((other) => other !== bits)) return undefined;
  if (tags.tiles !== undefined && planar === 2) return undefined;
  if (photometric === WHITE_IS_ZERO || photometric === BLACK_IS_ZERO) return greyPixels(tags, bits);
  if (fillOrder !== 1 || sampleFormat.some((format) => format !== 1)) return undefined;
  // Pillow takes planes of 16 bits for planes of 8.
  if (bits !== 8 && planar === 2) return undefined;
  switch (photometric) {
    case RGB:
      return rgbPixels(tags, bits);
    case PALETTE:
      return palettePixels(tags, bits);
    case CMYK:
      if (bits === 8) return hasOnly(tags, 4, 0) ? 'cmyk8' : undefined;
      return bits === 16 && bitsPerSample.length === 4 && tags.extraSamples.length === 0 ? 'cmyk16' : undefined;
    case YCC:
      return bits === 8 && hasOnly(tags, 3, 0) && compression === JPEG_COMPRESSION && planar === 1
        ? 'plain'
        : undefined;
    default:
      return undefined;
  }
}

function greyPixels(tags: TiffTags, bits: number): Pixels | undefined {
  const { photometric, bitsPerSample, compression, extraSamples, fillOrder, planar, sampleFormat } = tags;
  const { littleEndian } = tags.directory;
  const [format = 1] = sampleFormat;
  const white = photometric === WHITE_IS_ZERO;
  // Pillow turns the bytes of these about once more than libtiff, which has unpacked them in this machine's order.
  if (!littleEndian && compression !== NO_COMPRESSION && format !== 1 && bits > 8) return undefined;
  // libvips takes two planes for samples that alternate.
  if (planar === 2 && bitsPerSample.length > 1) return undefined;
  if (bitsPerSample.length === 2) {
    const alpha = extraSamples.length === 1 && extraSamples[0] === UNASSOCIATED;
    return bits === 8 && alpha && !white && format === 1 && fillOrder === 1 ? 'plain' : undefined;
  }
  if (bitsPerSample.length !== 1 || extraSamples.length > 0) return undefined;
  if (format === 1 && [1, 2, 4, 8].includes(bits)) return fillOrder === 1 || bits < 8 || !white ? 'plain' : undefined;
  if (fillOrder !== 1) return undefined;
  if (format === 1 && bits === 16) {
    if (!white) return 'grey16';
    return littleEndian ? 'inverted grey16' : undefined;
  }
  if (format === 1 && bits === 32) return littleEndian && !white ? 'plain' : undefined;
  if (format === 2 && bits === 16) return white ? undefined : 'grey16';
  if (format === 2) return bits === 32 && !white ? 'plain' : undefined;
  return format === 3 && bits === 32 ? 'plain' : undefined;
}

function rgbPixels(tags: TiffTags, bits: number): Pixels | undefined {
  const { bitsPerSample, extraSamples } = tags;
  const [first] = extraSamples;
  if (bits === 16 && bitsPerSample.length > 4) return undefined;
  if (bits !== 8 && bits !== 16) return undefined;
  if (first === undefined) return bitsPerSample.length === 3 || bitsPerSample.length === 4 ? 'plain' : undefined;
  if (first > 2 || bitsPerSample.length > 6 || bitsPerSample.length !== 3 + extraSamples.length) return undefined;
  if (extraSamples.slice(1).some((extra) => extra !== 0)) return undefined;
  return first === ASSOCIATED ? 'divided' : 'plain';
}

function palettePixels(tags: TiffTags, bits: number): Pixels | undefined {
  // Levels of 8 bits where there ought to be 16: libvips sees the slip, and Pillow makes them black.
  if (![1, 2, 4, 8].includes(bits) || tags.colourMapMax <= 255) return undefined;
  const [extra] = tags.extraSamples;
  if (tags.bitsPerSample.length === 1) return extra === undefined ? 'plain' : undefined;
  return bits === 8 && tags.bitsPerSample.length === 2 && (extra === 0 || extra === 2) ? 'plain' : undefined;
}

/** So many colours, and after them at most two samples, all of this kind. */
function hasOnly({ bitsPerSample, extraSamples }: TiffTags, colours: number, kind: number): boolean {
  const extra = bitsPerSample.length - colours;
  return extra >= 0 && extra <= 2 && extraSamples.length === extra && extraSamples.every((sample) => sample === kind);
}

/** Where there is no tag, Pillow looks into XMP. */
function orientationOf({ orientation, xmp }: TiffTags): number {
  return orientation ?? Number(/tiff:Orientation(?:="|>)(\d)/.exec(xmp)?.[1] ?? 1);
}

const COLOURS: Readonly<Record<number, string>> = {
  0: 'grey levels, white being 0',
  1: 'grey levels',
  2: 'RGB',
  3: 'a palette',
  5: 'CMYK',
  6: 'YCbCr',
  8: 'CIELAB',
};
const FORMATS: Readonly<Record<number, string>> = { 2: 'signed', 3: 'floating-point' };

function described(tags: TiffTags): string {
  const { bitsPerSample, compression, extraSamples, fillOrder, photometric, planar, sampleFormat } = tags;
  const parts = [`of ${COLOURS[photometric] ?? `photometric interpretation ${photometric}`}`];
  const format = FORMATS[sampleFormat[0] ?? 1];
  parts.push(`${format === undefined ? '' : `${format} `}samples of ${bitsPerSample.join(', ')} bits`);
  if (extraSamples.length > 0) parts.push(`extra samples ${extraSamples.join(', ')}`);
  if (photometric === PALETTE && tags.colourMapMax <= 255) parts.push('a palette of 8-bit levels');
  if (planar === 2) parts.push(tags.tiles === undefined ? 'in planes' : 'in tiles of planes');
  if (fillOrder !== 1) parts.push(`fill order ${fillOrder}`);
  if (!COMPRESSIONS.has(compression)) parts.push(`compression ${compression}`);
  else if (compression !== NO_COMPRESSION) parts.push('compressed');
  return `a TIFF ${parts.join(', ')}, ${tags.directory.littleEndian ? 'little' : 'big'}-endian`;
}

/** Mirrored left to right, rows and columns exchanged before that: what each EXIF orientation asks for. */
const TURNS: Readonly<Record<number, { flipX: boolean; flipY: boolean; transpose: boolean }>> = {
  2: { flipX: true, flipY: false, transpose: false },
  3: { flipX: true, flipY: true, transpose: false },
  4: { flipX: false, flipY: true, transpose: false },
  5: { flipX: false, flipY: false, transpose: true },
  6: { flipX: false, flipY: true, transpose: true },
  7: { flipX: true, flipY: true, transpose: true },
  8: { flipX: true, flipY: false, transpose: true },
};

/** The picture as its EXIF orientation (1 to 8) says it is to be seen; any other number asks for nothing. */
function turnPicture(picture: RgbPicture, orientation: number): RgbPicture {
  const turn = TURNS[orientation];
  if (turn === undefined) return picture;
  const { data, width, height } = picture;
  const [outWidth, outHeight] = turn.transpose ? [height, width] : [width, height];
  const turned = new Uint8Array(data.length);
  for (let row = 0, to = 0; row < outHeight; row++) {
    for (let column = 0; column < outWidth; column++, to += 3) {
      const [a, b] = turn.transpose ? [row, column] : [column, row];
      const x = turn.flipX ? width - 1 - a : a;
      const y = turn.flipY ? height - 1 - b : b;
      const from = (y * width + x) * 3;
      turned[to] = data[from] ?? 0;
      turned[to + 1] = data[from + 1] ?? 0;
      turned[to + 2] = data[from + 2] ?? 0;
    }
  }
  return { data: turned, width: outWidth, height: outHeight };
}
