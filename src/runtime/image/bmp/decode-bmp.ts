/**
 * BMP as Pillow reads it: of 32 bits without masks the last 8 are no alpha, alpha that a mask names is dropped, and a palette of
 * grey levels in their order is none.
 */
import { checkPixels, PictureRefusal } from '../picture-refusal.js';
import type { RgbPicture } from '../rgb-picture.js';
import { readBmpHeader, type BmpHeader } from './bmp-header.js';
import { unpackRuns } from './bmp-rle.js';

/** @throws PictureRefusal, RangeError for a file that ends too early, Error for one that contradicts itself */
export function decodeBmp(bytes: Uint8Array, maxPixels: number): RgbPicture {
  const file = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const header = readBmpHeader(file);
  const { width, height } = header;
  if (width === 0 || height === 0) throw new Error(`it has ${width} x ${height} pixels`);
  checkPixels(width, height, maxPixels);
  const data = header.bits > 8 ? colourPixels(file, header) : indexedPixels(bytes, header);
  return { data, width, height };
}

/** Masks of red, green, blue and alpha that Pillow knows, in pixels of so many bits, as little-endian numbers. */
const KNOWN_MASKS: Readonly<Record<number, readonly string[]>> = {
  16: ['f800 7e0 1f', '7c00 3e0 1f'],
  24: ['ff0000 ff00 ff'],
  32: [
    'ff0000 ff00 ff 0',
    'ff000000 ff0000 ff00 0',
    'ff000000 ff00 ff 0',
    'ff000000 ff0000 ff00 ff',
    'ff ff00 ff0000 ff000000',
    'ff0000 ff00 ff ff000000',
    'ff000000 ff00 ff ff0000',
    '0 0 0 0',
  ],
};
const MASKS_OF_16 = [0x7c00, 0x3e0, 0x1f];
const MASKS_OF_BYTES = [0xff0000, 0xff00, 0xff];

function colourPixels(file: DataView, header: BmpHeader): Uint8Array {
  const { width, height, bits, pixelsAt } = header;
  const channels = channelMasks(header).map((mask) => {
    const shift = 31 - Math.clz32(mask & -mask);
    return { shift, most: mask >>> shift };
  });
  const stride = rowStride(file, header, bits);
  const rgb = new Uint8Array(width * height * 3);
  for (let row = 0; row < height; row++) {
    let to = seenRow(header, row) * width * 3;
    for (let column = 0, at = pixelsAt + row * stride; column < width; column++, at += bits / 8) {
      const low = file.getUint16(at, true);
      const pixel =
        bits === 16 ? low : low | ((bits === 24 ? file.getUint8(at + 2) : file.getUint16(at + 2, true)) << 16);
      for (const { shift, most } of channels) rgb[to++] = Math.floor((((pixel >>> shift) & most) * 255) / most);
    }
  }
  return rgb;
}

/** @throws PictureRefusal for masks that Pillow does not know */
function channelMasks({ bits, packing, masks }: BmpHeader): readonly number[] {
  if (packing === 'none') return bits === 16 ? MASKS_OF_16 : MASKS_OF_BYTES;
  const names = masks.slice(0, bits === 32 ? 4 : 3).map((mask) => mask.toString(16));
  const known = packing === 'masks' && KNOWN_MASKS[bits]?.includes(names.join(' '));
  if (known !== true)
    throw PictureRefusal.unsupported(`a BMP of ${bits} bits a pixel with ${described(packing, names)}`);
  return masks[0] === 0 ? MASKS_OF_BYTES : masks.slice(0, 3);
}

const described = (packing: BmpHeader['packing'], masks: readonly string[]): string =>
  packing === 'masks' ? `masks ${masks.join(', ')}` : packing;

function indexedPixels(bytes: Uint8Array, header: BmpHeader): Uint8Array {
  const { width, height, bits, packing, pixelsAt } = header;
  if (packing === 'masks') throw PictureRefusal.unsupported(`a BMP of ${bits} bits a pixel with masks`);
  const { table, indexBits } = readPalette(bytes, header);
  const indices =
    packing === 'none'
      ? plainIndices(bytes, header, indexBits)
      : unpackRuns(bytes, pixelsAt, { width, height, nibbles: packing === 'RLE4' });
  const rgb = new Uint8Array(indices.length * 3);
  for (let row = 0, pixel = 0; row < height; row++) {
    let to = seenRow(header, row) * width * 3;
    for (let column = 0; column < width; column++) {
      const from = (indices[pixel++] ?? 0) * 3;
      for (let c = 0; c < 3; c++) rgb[to++] = table[from + c] ?? 0;
    }
  }
  return rgb;
}

const MOST_COLOURS = 256;
/** Of which the file has as many as there are indices, or fewer. */
const MOST_COLOURS_STATED = 65_536;

interface Palette {
  /** Red, green and blue by index; black where there is no colour. */
  readonly table: Uint8Array;
  readonly indexBits: number;
}

/**
 * A palette of black, or of black and white, makes pixels of 1 bit for Pillow, and one of grey levels in order pixels of 8,
 * whatever the header says. A colour that the file ends within is none.
 */
function readPalette(bytes: Uint8Array, { colours, colourBytes, paletteAt, bits }: BmpHeader): Palette {
  const given = bytes.subarray(paletteAt, paletteAt + colours * colourBytes);
  const levelOf = (index: number): number => (colours === 2 ? index * 255 : index % 256);
  let isGrey = colours <= MOST_COLOURS_STATED;
  for (let index = 0; isGrey && index < colours; index++) {
    const colour = given.subarray(index * colourBytes, index * colourBytes + 3);
    isGrey = colour.length === 3 && colour.every((level) => level === levelOf(index));
  }
  const table = new Uint8Array(MOST_COLOURS * 3);
  if (isGrey) {
    const bilevel = colours <= 2;
    return {
      table: table.map((_, at) => (bilevel ? 255 * Math.sign(Math.floor(at / 3)) : Math.floor(at / 3))),
      indexBits: bilevel ? 1 : 8,
    };
  }
  const whole = Math.floor(given.length / colourBytes);
  if (colours > MOST_COLOURS_STATED || whole > MOST_COLOURS)
    throw PictureRefusal.unsupported(`a BMP with a palette of ${colours} colours`);
  for (let index = 0; index < whole; index++) {
    for (let c = 0; c < 3; c++) table[index * 3 + c] = given[index * colourBytes + 2 - c] ?? 0;
  }
  return { table, indexBits: bits };
}

function plainIndices(bytes: Uint8Array, header: BmpHeader, indexBits: number): Uint8Array {
  const { width, height, pixelsAt } = header;
  const stride = rowStride(bytes, header, indexBits);
  const indices = new Uint8Array(width * height);
  const mask = 2 ** indexBits - 1;
  for (let row = 0, to = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const bit = column * indexBits;
      const byte = bytes[pixelsAt + row * stride + (bit >> 3)] ?? 0;
      indices[to++] = (byte >> (8 - indexBits - (bit & 7))) & mask;
    }
  }
  return indices;
}

/**
 * Bytes from a row to the next. Rows end at multiples of 4 bytes, the last one with its pixels.
 * @throws RangeError where pixels are missing
 */
function rowStride(
  { byteLength }: ArrayBufferView,
  { width, height, bits, pixelsAt }: BmpHeader,
  pixelBits: number,
): number {
  const stride = Math.ceil((width * bits) / 32) * 4;
  const rowBytes = Math.ceil((width * pixelBits) / 8);
  if (rowBytes > stride) throw new Error(`its pixels have ${bits} bits and its palette is one of ${pixelBits}`);
  if (pixelsAt + (height - 1) * stride + rowBytes > byteLength) throw new RangeError('its pixels end too early');
  return stride;
}

/** Where a stored row is seen, counted from above. */
const seenRow = ({ topDown, height }: BmpHeader, row: number): number => (topDown ? row : height - 1 - row);
