import { readDirectory, valuesOf, type TiffDirectory } from './tiff-directory.js';

/** The tags of a TIFF's first page that say what its pixels are. Values that are absent have TIFF's defaults. */
export interface TiffTags {
  readonly directory: TiffDirectory;
  readonly width: number;
  readonly height: number;
  readonly compression: number;
  readonly photometric: number;
  readonly bitsPerSample: readonly number[];
  readonly sampleFormat: readonly number[];
  readonly extraSamples: readonly number[];
  readonly fillOrder: number;
  readonly planar: number;
  /** Of a picture in tiles: their size, and how many the file has. */
  readonly tiles: TiffTiles | undefined;
  readonly orientation: number | undefined;
  /** Highest level of a palette's 16-bit colours. */
  readonly colourMapMax: number;
  /** XMP metadata, as it stands. */
  readonly xmp: string;
}

export interface TiffTiles {
  readonly width: number;
  readonly height: number;
  readonly count: number;
}

export const TAG = {
  width: 256,
  height: 257,
  bitsPerSample: 258,
  compression: 259,
  photometric: 262,
  fillOrder: 266,
  stripOffsets: 273,
  orientation: 274,
  samplesPerPixel: 277,
  rowsPerStrip: 278,
  stripByteCounts: 279,
  planar: 284,
  faxOptions3: 292,
  faxOptions4: 293,
  predictor: 317,
  colourMap: 320,
  tileWidth: 322,
  tileHeight: 323,
  tileOffsets: 324,
  tileByteCounts: 325,
  extraSamples: 338,
  sampleFormat: 339,
  jpegTables: 347,
  yccCoefficients: 529,
  yccSubsampling: 530,
  yccPositioning: 531,
  yccRange: 532,
  xmp: 700,
} as const;

/** @throws RangeError for a file that ends too early */
export function readTiffTags(bytes: Uint8Array): TiffTags {
  const directory = readDirectory(bytes);
  const numbers = (tag: number): number[] => {
    const entry = directory.entries.get(tag);
    return entry === undefined ? [] : valuesOf(bytes, directory, entry);
  };
  const first = (tag: number, otherwise: number): number => numbers(tag)[0] ?? otherwise;
  const samples = first(TAG.samplesPerPixel, 1);
  const bits = numbers(TAG.bitsPerSample);
  return {
    directory,
    width: first(TAG.width, 0),
    height: first(TAG.height, 0),
    compression: first(TAG.compression, 1),
    photometric: first(TAG.photometric, 0),
    // One value stands for all samples, as Pillow takes it.
    bitsPerSample: bits.length > 1 ? bits.slice(0, samples) : Array.from({ length: samples }, () => bits[0] ?? 1),
    sampleFormat: numbers(TAG.sampleFormat),
    extraSamples: numbers(TAG.extraSamples),
    fillOrder: first(TAG.fillOrder, 1),
    planar: first(TAG.planar, 1),
    tiles: directory.entries.has(TAG.tileWidth)
      ? {
          width: first(TAG.tileWidth, 0),
          height: first(TAG.tileHeight, 0),
          count: directory.entries.get(TAG.tileOffsets)?.count ?? 0,
        }
      : undefined,
    orientation: directory.entries.has(TAG.orientation) ? first(TAG.orientation, 1) : undefined,
    colourMapMax: numbers(TAG.colourMap).reduce((most, level) => Math.max(most, level), 0),
    xmp: Buffer.from(numbers(TAG.xmp)).toString('latin1'),
  };
}
