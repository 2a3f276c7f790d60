/**
 * A TIFF as libvips is given it: the first page alone, and of its tags those that say what its pixels are. libvips reads the tags of
 * all pages, of which one may be cut off; it refuses an orientation that is none of the eight, which Pillow takes as it is; and it
 * divides associated colours by their alpha, rounding otherwise than Pillow.
 *
 * Tiles become strips of a narrow picture, one below the other. A tile that cannot be decoded is black for libvips, and of
 * one that takes more than twice its pixels' bytes it decodes the beginning; of strips it says so.
 */
import { checkPixels } from '../picture-refusal.js';
import type { RgbPicture } from '../rgb-picture.js';
import { withDirectory, type TiffEntry } from './tiff-directory.js';
import { TAG, type TiffTags, type TiffTiles } from './tiff-tags.js';

const [ASSOCIATED, NO_COMPRESSION] = [1, 1];
/** Of no pixel: what kind of page it is, its resolution, what made it, and when. Most files have no others beside those that are read. */
const OF_NO_PIXEL: ReadonlySet<number> = new Set([254, 270, 282, 283, 296, 305, 306]);

/**
 * @returns the same bytes where they will do, as a picture that is not compressed is copied about as slowly as it is decoded
 * @throws PictureRefusal for tiles of more pixels together, Error where there are too few
 */
export function forLibvips(bytes: Uint8Array, tags: TiffTags, maxPixels: number): Uint8Array {
  const { directory, extraSamples, tiles } = tags;
  const entries = new Map<number, TiffEntry | number>();
  for (const tag of Object.values(TAG)) {
    const entry = directory.entries.get(tag);
    if (entry !== undefined) entries.set(tag, entry);
  }
  if (!isOrientation(tags.orientation)) entries.delete(TAG.orientation);
  entries.delete(TAG.xmp);
  if (extraSamples[0] === ASSOCIATED) entries.delete(TAG.extraSamples);
  if (tiles !== undefined) {
    const stackHeight = tiles.height * tileCount(tags, tiles);
    checkPixels(tags.width, tags.height, maxPixels);
    checkPixels(tiles.width, stackHeight, maxPixels);
    entries.set(TAG.width, tiles.width).set(TAG.height, stackHeight).set(TAG.rowsPerStrip, tiles.height);
    for (const [tag, ofStrips] of [
      [TAG.tileOffsets, TAG.stripOffsets],
      [TAG.tileByteCounts, TAG.stripByteCounts],
    ] as const) {
      const entry = directory.entries.get(tag);
      if (entry === undefined) entries.delete(ofStrips);
      else entries.set(ofStrips, entry);
    }
    for (const tag of [TAG.tileWidth, TAG.tileHeight, TAG.tileOffsets, TAG.tileByteCounts]) entries.delete(tag);
  }
  const isSame = [...directory.entries].every(([tag, entry]) => entries.get(tag) === entry || OF_NO_PIXEL.has(tag));
  const willDo = tags.compression === NO_COMPRESSION && isSame && directory.isPlain;
  return willDo ? bytes : withDirectory(bytes, directory, entries);
}

const isOrientation = (value = 0): boolean => value >= 1 && value <= 8;

/** As many as the picture's size asks for. */
function tileCount({ width, height }: TiffTags, tiles: TiffTiles): number {
  const count = Math.ceil(width / tiles.width) * Math.ceil(height / tiles.height);
  if (tiles.count < count) throw new Error(`it has ${tiles.count} tiles, and its size asks for ${count}`);
  return count;
}

/** The picture whose tiles are one below the other in another one. */
export function joinTiles(stack: RgbPicture, { width, height, tiles }: TiffTags): RgbPicture {
  if (tiles === undefined) return stack;
  const data = new Uint8Array(width * height * 3);
  const across = Math.ceil(width / tiles.width);
  for (let y = 0; y < height; y++) {
    const row = Math.floor(y / tiles.height);
    for (let column = 0; column < across; column++) {
      const line = (row * across + column) * tiles.height + (y % tiles.height);
      const x = column * tiles.width;
      const pixels = Math.min(tiles.width, width - x);
      const from = line * tiles.width * 3;
      data.set(stack.data.subarray(from, from + pixels * 3), (y * width + x) * 3);
    }
  }
  return { data, width, height };
}
