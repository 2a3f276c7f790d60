import { openWithLibvips } from '../libvips-pixels.js';
import type { AvifPicture } from './avif-picture.js';
import { writtenBox } from './boxes.js';

export type Levels = Uint8Array | Uint16Array;

/** Luma and chroma as they are coded; a monochrome picture's chroma is empty. Levels have `bits` bits. */
export interface Planes {
  readonly y: Levels;
  readonly u: Levels;
  readonly v: Levels;
  readonly bits: number;
  readonly width: number;
  readonly height: number;
  /** Columns and rows of chroma. */
  readonly chromaWidth: number;
  readonly chromaHeight: number;
}

/**
 * Decodes the AV1 data. libheif makes colours of what it decodes, and repeats chroma instead of interpolating it; in a file
 * that says "no matrix, full range", its red, green and blue are V, Y and U.
 * @throws Error where libvips cannot decode it
 */
export async function decodePlanes(picture: AvifPicture): Promise<Planes> {
  const { bits, monochrome } = picture;
  const image = await openWithLibvips(plainAvif(picture));
  const deep = bits > 8 ? image.toColourspace('rgb16').raw({ depth: 'ushort' }) : image.raw();
  const { data, info } = await deep.toBuffer({ resolveWithObject: true });
  const { width, height, channels } = info;
  const samples = bits > 8 ? new Uint16Array(data.buffer, data.byteOffset, data.length / 2) : data;
  const shift = bits > 8 ? 16 - bits : 0;
  const chromaWidth = monochrome ? 0 : picture.halfWidth ? (width + 1) >> 1 : width;
  const chromaHeight = monochrome ? 0 : picture.halfHeight ? (height + 1) >> 1 : height;
  const plane = (channel: number, columns: number, rows: number, stepX: number, stepY: number): Levels => {
    const levels = bits > 8 ? new Uint16Array(columns * rows) : new Uint8Array(columns * rows);
    for (let row = 0, to = 0; row < rows; row++) {
      let from = row * stepY * width * channels + channel;
      for (let column = 0; column < columns; column++, from += stepX * channels)
        levels[to++] = (samples[from] ?? 0) >> shift;
    }
    return levels;
  };
  const [stepX, stepY] = [picture.halfWidth ? 2 : 1, picture.halfHeight ? 2 : 1];
  return {
    y: plane(channels < 3 ? 0 : 1, width, height, 1, 1),
    u: plane(2, chromaWidth, chromaHeight, stepX, stepY),
    v: plane(0, chromaWidth, chromaHeight, stepX, stepY),
    bits,
    width,
    height,
    chromaWidth,
    chromaHeight,
  };
}

const [PRIMARIES_SRGB, TRANSFER_SRGB, NO_MATRIX, FULL_RANGE] = [1, 13, 0, 0x80];

/** An AVIF file of nothing but this picture's AV1 data. */
function plainAvif({ width, height, bits, monochrome, configuration, data }: AvifPicture): Uint8Array {
  const channels = monochrome ? 1 : 3;
  const properties = [
    writtenBox('ispe', u32(0), u32(width), u32(height)),
    writtenBox('av1C', configuration),
    writtenBox('pixi', u32(0), Uint8Array.of(channels, ...Array.from({ length: channels }, () => bits))),
    writtenBox(
      'colr',
      text('nclx'),
      u16(PRIMARIES_SRGB),
      u16(TRANSFER_SRGB),
      u16(NO_MATRIX),
      Uint8Array.of(FULL_RANGE),
    ),
  ];
  const associations = Uint8Array.of(properties.length, ...properties.map((_, i) => i + 1));
  const file = (offset: number): Uint8Array =>
    Buffer.concat([
      writtenBox('ftyp', text('avif'), u32(0), text('mif1'), text('avif'), text('miaf')),
      writtenBox(
        'meta',
        u32(0),
        writtenBox('hdlr', u32(0), u32(0), text('pict'), new Uint8Array(13)),
        writtenBox('pitm', u32(0), u16(1)),
        writtenBox('iloc', u32(0), u16(0x4400), u16(1), u16(1), u16(0), u16(1), u32(offset), u32(data.length)),
        writtenBox(
          'iinf',
          u32(0),
          u16(1),
          writtenBox('infe', u32(0x02000000), u16(1), u16(0), text('av01'), Uint8Array.of(0)),
        ),
        writtenBox('iprp', writtenBox('ipco', ...properties), writtenBox('ipma', u32(0), u32(1), u16(1), associations)),
      ),
      writtenBox('mdat'),
    ]);
  const head = file(file(0).length);
  new DataView(head.buffer, head.byteOffset).setUint32(head.length - 8, data.length + 8);
  return Buffer.concat([head, data]);
}

function u16(value: number): Uint8Array {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}

function u32(value: number): Uint8Array {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

const text = (value: string): Uint8Array => Buffer.from(value, 'latin1');
