/**
 * The first frame of a GIF as Pillow reads it: transparency is dropped, so the colour that the table has at the transparent
 * index counts, also where the frame does not cover the screen. libvips gives black in both places.
 */
import { checkPixels } from '../picture-refusal.js';
import type { RgbPicture } from '../rgb-picture.js';
import { GifBlocks } from './gif-blocks.js';
import { unpackLzw } from './gif-lzw.js';

interface Frame {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
  /** Red, green and blue by index; null stands for grey levels. */
  readonly table: Uint8Array | null;
  readonly interlaced: boolean;
  readonly transparent: number | undefined;
  /** Colour index by pixel, row by row as they are stored. */
  readonly indices: Uint8Array;
}

/** @throws PictureRefusal, RangeError for a file that ends too early, Error for one without a picture */
export function decodeGif(bytes: Uint8Array, maxPixels: number): RgbPicture {
  const file = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const screen = { width: file.getUint16(6, true), height: file.getUint16(8, true), maxPixels };
  const flags = file.getUint8(10);
  const frame = readFrame(file, flags & 0x80 ? readTable(file, 13, flags) : null, 13 + tableBytes(flags), screen);
  const width = Math.max(screen.width, frame.left + frame.width);
  const height = Math.max(screen.height, frame.top + frame.height);
  const indices = new Uint8Array(width * height).fill(frame.transparent ?? 0);
  for (const [stored, row] of rowOrder(frame.height, frame.interlaced).entries()) {
    const line = frame.indices.subarray(stored * frame.width, (stored + 1) * frame.width);
    indices.set(line, (frame.top + row) * width + frame.left);
  }
  return { data: coloured(indices, frame.table), width, height };
}

/** Skips extensions up to the first image. */
function readFrame(
  file: DataView,
  global: Uint8Array | null,
  begin: number,
  screen: { readonly width: number; readonly height: number; readonly maxPixels: number },
): Frame {
  let transparent: number | undefined;
  let at = begin;
  for (; file.getUint8(at) !== IMAGE; at++) {
    const block = file.getUint8(at);
    if (block === TRAILER) throw new Error('it holds no picture');
    if (block !== EXTENSION) continue;
    const extension = readExtension(file, at + 1);
    transparent = extension.transparent ?? transparent;
    at = extension.end - 1;
  }
  const [left, top] = [file.getUint16(at + 1, true), file.getUint16(at + 3, true)];
  const [width, height] = [file.getUint16(at + 5, true), file.getUint16(at + 7, true)];
  if (width === 0 || height === 0) throw new Error('its first frame has no pixels');
  checkPixels(Math.max(screen.width, left + width), Math.max(screen.height, top + height), screen.maxPixels);
  const flags = file.getUint8(at + 9);
  // A table of grey levels for this frame alone does not push out the global one.
  const table = (flags & 0x80 ? readTable(file, at + 10, flags) : null) ?? global;
  const data = at + 10 + tableBytes(flags);
  const rootBits = file.getUint8(data);
  if (rootBits > 12) throw new Error(`its colour indices have ${rootBits} bits`);
  const indices = new Uint8Array(width * height);
  unpackLzw(new GifBlocks(bytesOf(file), data + 1), rootBits, indices);
  return { left, top, width, height, table, interlaced: (flags & 0x40) !== 0, transparent, indices };
}

const [EXTENSION, IMAGE, TRAILER] = [0x21, 0x2c, 0x3b];
const [GRAPHIC_CONTROL, COMMENT, APPLICATION] = [0xf9, 0xfe, 0xff];
const LOOPS = 'NETSCAPE2.0';

const bytesOf = (file: DataView): Uint8Array => new Uint8Array(file.buffer, file.byteOffset, file.byteLength);

const tableBytes = (flags: number): number => (flags & 0x80 ? 3 << ((flags & 7) + 1) : 0);

/** A table that gives each index its own grey is no table to Pillow. */
function readTable(file: DataView, at: number, flags: number): Uint8Array | null {
  const bytes = Math.min(tableBytes(flags), Math.max(0, file.byteLength - at));
  const table = new Uint8Array(file.buffer, file.byteOffset + at, bytes);
  return table.every((level, i) => level === Math.floor(i / 3)) ? null : table;
}

/**
 * Where an extension ends, and which colour it says is transparent. Pillow reads its first block before it looks for the
 * empty one that ends it, so that an extension whose first block is empty goes on, unless it is a comment.
 * @param begin of the byte that says what it is
 * @throws Error for a graphic control that is too short
 */
function readExtension(
  file: DataView,
  begin: number,
): { readonly end: number; readonly transparent: number | undefined } {
  const kind = file.getUint8(begin);
  let at = begin + 1;
  const nextBlock = (): Uint8Array => {
    const size = file.getUint8(at);
    const block = bytesOf(file).subarray(at + 1, at + 1 + size);
    at += 1 + size;
    return block;
  };
  const first = nextBlock();
  const isControl = kind === GRAPHIC_CONTROL && first.length > 0;
  const hasTransparent = isControl && ((first[0] ?? 0) & 1) === 1;
  if (isControl && first.length < (hasTransparent ? 4 : 3)) throw new Error('its graphic control is too short');
  if (kind === APPLICATION && Buffer.from(first).toString('latin1').startsWith(LOOPS)) nextBlock();
  if (kind !== COMMENT || first.length > 0) while (nextBlock().length > 0);
  return { end: at, transparent: hasTransparent ? first[3] : undefined };
}

/** The row of each stored line. */
function rowOrder(height: number, interlaced: boolean): number[] {
  const passes = interlaced ? [[0, 8] as const, [4, 8] as const, [2, 4] as const, [1, 2] as const] : [[0, 1] as const];
  return passes.flatMap(([first, step]) =>
    Array.from({ length: Math.max(0, Math.ceil((height - first) / step)) }, (_, i) => first + i * step),
  );
}

/** An index beyond the table is black. */
function coloured(indices: Uint8Array, table: Uint8Array | null): Uint8Array {
  const rgb = new Uint8Array(indices.length * 3);
  for (let pixel = 0, to = 0; pixel < indices.length; pixel++) {
    const index = indices[pixel] ?? 0;
    for (let c = 0; c < 3; c++) rgb[to++] = table === null ? index : (table[index * 3 + c] ?? 0);
  }
  return rgb;
}
