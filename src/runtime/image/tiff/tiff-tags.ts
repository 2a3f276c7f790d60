/** The tags of a TIFF's first page that say what its pixels are. Values that are absent have TIFF's defaults. */
export interface TiffTags {
  readonly littleEndian: boolean;
  readonly compression: number;
  readonly photometric: number;
  readonly bitsPerSample: readonly number[];
  readonly sampleFormat: readonly number[];
  readonly extraSamples: readonly number[];
  /** Where in the file they stand. */
  readonly extraSamplesAt: number | undefined;
  readonly fillOrder: number;
  readonly planar: number;
  readonly tiled: boolean;
  /** Where in the file the value of the orientation stands, and the value. */
  readonly orientation: { readonly value: number; readonly at: number } | undefined;
  /** Highest level of a palette's 16-bit colours. */
  readonly colourMapMax: number;
  /** XMP metadata, as it stands. */
  readonly xmp: string;
  /** Where in the file it stands where the second page is; undefined where there is no other page. */
  readonly nextPage: { readonly begin: number; readonly end: number } | undefined;
}

const TAG = {
  bitsPerSample: 258,
  compression: 259,
  photometric: 262,
  fillOrder: 266,
  orientation: 274,
  samplesPerPixel: 277,
  planar: 284,
  colourMap: 320,
  tileWidth: 322,
  extraSamples: 338,
  sampleFormat: 339,
  xmp: 700,
} as const;

/** Bytes of one value by type number; other types are not those of the tags above. */
const TYPE_BYTES: Readonly<Record<number, number>> = { 1: 1, 2: 1, 3: 2, 4: 4, 7: 1, 16: 8 };

interface Entry {
  readonly type: number;
  readonly count: number;
  readonly at: number;
}

/** @throws RangeError for a file that ends too early */
export function readTiffTags(bytes: Uint8Array): TiffTags {
  const file = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const little = bytes[0] === 0x49;
  const { entries, end } = readEntries(file, little);
  const numbers = (tag: number): number[] => {
    const entry = entries.get(tag);
    return entry === undefined ? [] : valuesOf(file, little, entry);
  };
  const first = (tag: number, otherwise: number): number => numbers(tag)[0] ?? otherwise;
  const samples = first(TAG.samplesPerPixel, 1);
  const bits = numbers(TAG.bitsPerSample);
  const orientation = entries.get(TAG.orientation);
  return {
    littleEndian: little,
    compression: first(TAG.compression, 1),
    photometric: first(TAG.photometric, 0),
    // One value stands for all samples, as Pillow takes it.
    bitsPerSample: bits.length > 1 ? bits.slice(0, samples) : Array.from({ length: samples }, () => bits[0] ?? 1),
    sampleFormat: numbers(TAG.sampleFormat),
    extraSamples: numbers(TAG.extraSamples),
    extraSamplesAt: entries.get(TAG.extraSamples)?.at,
    fillOrder: first(TAG.fillOrder, 1),
    planar: first(TAG.planar, 1),
    tiled: entries.has(TAG.tileWidth),
    orientation: orientation === undefined ? undefined : { value: first(TAG.orientation, 1), at: orientation.at },
    colourMapMax: numbers(TAG.colourMap).reduce((most, level) => Math.max(most, level), 0),
    xmp: Buffer.from(numbers(TAG.xmp)).toString('latin1'),
    nextPage: pointerAt(bytes, end, isBig(file, little) ? 8 : 4),
  };
}

const isBig = (file: DataView, little: boolean): boolean => file.getUint16(2, little) === 43;

function pointerAt(bytes: Uint8Array, begin: number, size: 4 | 8): TiffTags['nextPage'] {
  const end = begin + size;
  return bytes.subarray(begin, end).some((byte) => byte !== 0) ? { begin, end } : undefined;
}

function readEntries(file: DataView, little: boolean): { entries: Map<number, Entry>; end: number } {
  const big = isBig(file, little);
  const far = (at: number): number => (big ? Number(file.getBigUint64(at, little)) : file.getUint32(at, little));
  const directory = far(big ? 8 : 4);
  const [countBytes, entryBytes, inlineBytes] = big ? [8, 20, 8] : [2, 12, 4];
  const count = big ? far(directory) : file.getUint16(directory, little);
  const entries = new Map<number, Entry>();
  for (let i = 0; i < count; i++) {
    const at = directory + countBytes + i * entryBytes;
    const type = file.getUint16(at + 2, little);
    const values = far(at + 4);
    const valueAt = at + entryBytes - inlineBytes;
    const bytes = (TYPE_BYTES[type] ?? 0) * values;
    entries.set(file.getUint16(at, little), { type, count: values, at: bytes > inlineBytes ? far(valueAt) : valueAt });
  }
  return { entries, end: directory + countBytes + count * entryBytes };
}

function valuesOf(file: DataView, little: boolean, { type, count, at }: Entry): number[] {
  const bytes = TYPE_BYTES[type] ?? 0;
  if (bytes === 0) return [];
  if (at + bytes * count > file.byteLength) throw new RangeError('a tag points beyond its end');
  return Array.from({ length: count }, (_, i) => {
    const place = at + i * bytes;
    if (bytes === 1) return file.getUint8(place);
    if (bytes === 2) return file.getUint16(place, little);
    return bytes === 4 ? file.getUint32(place, little) : Number(file.getBigUint64(place, little));
  });
}
