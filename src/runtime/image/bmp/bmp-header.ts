import { PictureRefusal } from '../picture-refusal.js';

/** What a BMP's header says. */
export interface BmpHeader {
  readonly width: number;
  readonly height: number;
  /** Otherwise the last row is stored first. */
  readonly topDown: boolean;
  readonly bits: number;
  readonly packing: 'none' | 'RLE8' | 'RLE4' | 'masks';
  /** Which bits of a pixel are red, green, blue and alpha; of `masks`. */
  readonly masks: readonly number[];
  /** Of the palette that pixels of at most 8 bits have. */
  readonly colours: number;
  readonly colourBytes: 3 | 4;
  readonly paletteAt: number;
  readonly pixelsAt: number;
}

const FILE_HEADER_BYTES = 14;
/** OS/2's first header, whose numbers have 2 bytes. */
const CORE_HEADER_BYTES = 12;
const INFO_HEADER_BYTES = 40;
const PACKINGS: readonly (BmpHeader['packing'] | undefined)[] = ['none', 'RLE8', 'RLE4', 'masks'];

/** @throws PictureRefusal for what Pillow refuses, RangeError for a file that ends too early */
export function readBmpHeader(file: DataView): BmpHeader {
  const headerBytes = file.getUint32(FILE_HEADER_BYTES, true);
  const at = FILE_HEADER_BYTES + 4;
  const core = headerBytes === CORE_HEADER_BYTES;
  const word = (offset: number): number => file.getUint16(at + offset, true);
  const long = (offset: number): number => file.getUint32(at + offset, true);
  const bits = core ? word(6) : word(10);
  if (![1, 4, 8, 16, 24, 32].includes(bits)) throw PictureRefusal.unsupported(`a BMP of ${bits} bits a pixel`);
  const compression = core ? 0 : long(12);
  const packing = PACKINGS[compression];
  if (packing === undefined) throw PictureRefusal.unsupported(`a BMP packed by method ${compression}`);
  // The upper byte alone says so, to Pillow too.
  const topDown = !core && file.getUint8(at + 7) === 0xff;
  const masksAt = FILE_HEADER_BYTES + INFO_HEADER_BYTES;
  const maskCount = packing !== 'masks' ? 0 : headerBytes >= 56 ? 4 : 3;
  const ownMasks = packing === 'masks' && headerBytes === INFO_HEADER_BYTES ? 12 : 0;
  const colours = (core ? 0 : long(28)) || 1 << bits;
  const colourBytes = core ? 3 : 4;
  const paletteAt = FILE_HEADER_BYTES + headerBytes + ownMasks;
  const hasPalette = bits <= 8;
  const stated = file.getUint32(10, true);
  // Some say that pixels begin where the palette does.
  const slip = hasPalette && stated === FILE_HEADER_BYTES + headerBytes ? colourBytes * colours : 0;
  const afterPalette = paletteAt + (hasPalette ? colourBytes * colours : 0);
  return {
    width: core ? word(0) : long(0),
    height: core ? word(2) : topDown ? 2 ** 32 - long(4) : long(4),
    topDown,
    bits,
    packing,
    masks: Array.from({ length: 4 }, (_, i) => (i < maskCount ? file.getUint32(masksAt + 4 * i, true) : 0)),
    colours,
    colourBytes,
    paletteAt,
    pixelsAt: stated === 0 ? afterPalette : stated + slip,
  };
}
