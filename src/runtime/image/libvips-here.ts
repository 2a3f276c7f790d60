/**
 * libvips in the thread that asks for pixels. sharp has it hand strips of a picture from thread to thread, and where many threads make a picture each, they
 * spend their time waking each other (docs/decisions/0009-pixels-of-pillow.md). What comes is the same: loader, options and bytes are sharp's.
 */
import { readFileSync } from 'node:fs';
import { loadedSharp } from './libvips-pixels.js';
import { firstThree, type RgbPicture } from './rgb-picture.js';

/** `VIPS_FORMAT_UCHAR`, `VIPS_INTERPRETATION_B_W` and `_sRGB`. */
const BYTES = 0;
const GREY = 1;
const RGB = 22;
/** A picture is copied in strips of about so many bytes, which a core's own cache has room for, of whole blocks of a JPEG. */
const STRIP_BYTES = 128 * 1024;
const BLOCK_ROWS = 16;

type Pointer = bigint;

interface Libvips {
  readonly newFromBuffer: (
    bytes: Uint8Array,
    size: number,
    options: string,
    type: 'void*',
    end: null,
  ) => Pointer | null;
  readonly get: (what: 'width' | 'height' | 'bands' | 'format' | 'interpretation', image: Pointer) => number;
  readonly newRegion: (image: Pointer) => Pointer;
  /** Memory of its own, in the order of rows, which is given back by `free`. */
  readonly fetch: (
    region: Pointer,
    left: number,
    top: number,
    width: number,
    height: number,
    size: number[],
  ) => Pointer | null;
  readonly unref: (object: Pointer) => void;
  readonly free: (memory: Pointer) => void;
  readonly view: (memory: Pointer, bytes: number) => ArrayBuffer;
}

let here: Libvips | undefined;
/** What libvips reads as long as it has a picture of it: nobody else may hold these bytes. */
const held: { bytes?: Uint8Array | undefined } = {};

/** Has `decodedHere` decode from then on, where the libvips that sharp has loaded can be called. @return whether it can */
export async function decodeHere(): Promise<boolean> {
  try {
    await loadedSharp();
    here = await openLibvips();
  } catch {
    // Without /proc, or without koffi's file for this machine: sharp does it.
  }
  return here !== undefined;
}

/** @param maps `/proc/self/maps`: a path ends its line, and may have spaces and letters of any script in it */
export function libvipsPath(maps: string): string | undefined {
  return /\s(\/.*libvips-cpp\.so\S*)$/m.exec(maps)?.[1];
}

async function openLibvips(): Promise<Libvips | undefined> {
  const path = libvipsPath(readFileSync('/proc/self/maps', 'utf8'));
  if (path === undefined) return undefined;
  const { default: koffi } = await import('koffi');
  const library = koffi.load(path);
  const asks = (what: string) => library.func(`int vips_image_get_${what}(void*)`) as (image: Pointer) => number;
  const answers = {
    width: asks('width'),
    height: asks('height'),
    bands: asks('bands'),
    format: asks('format'),
    interpretation: asks('interpretation'),
  };
  return {
    newFromBuffer: library.func('void* vips_image_new_from_buffer(const void*, size_t, const char*, ...)'),
    get: (what, image) => answers[what](image),
    newRegion: library.func('void* vips_region_new(void*)'),
    fetch: library.func('void* vips_region_fetch(void*, int, int, int, int, _Out_ size_t*)'),
    unref: library.func('void g_object_unref(void*)'),
    free: library.func('void g_free(void*)'),
    view: (memory, bytes) => koffi.view(memory, bytes),
  };
}

/**
 * A picture of 8-bit RGB or grey levels, with alpha dropped.
 * @param unlimited as `openWithLibvips` has it, of a JPEG
 * @returns null for every other kind, for what is damaged or larger, and where `decodeHere` was not told or cannot: sharp says which
 */
export function decodedHere(bytes: Uint8Array, maxPixels: number, unlimited = false): RgbPicture | null {
  if (here === undefined) return null;
  const options = `[access=sequential,fail_on=error${unlimited ? ',unlimited=true' : ''}]`;
  held.bytes = bytes;
  const image = here.newFromBuffer(bytes, bytes.length, options, 'void*', null);
  try {
    return image === null ? null : plainPixels(here, image, maxPixels);
  } finally {
    if (image !== null) here.unref(image);
    held.bytes = undefined;
  }
}

function plainPixels(libvips: Libvips, image: Pointer, maxPixels: number): RgbPicture | null {
  const [width, height, bands] = [
    libvips.get('width', image),
    libvips.get('height', image),
    libvips.get('bands', image),
  ];
  const colours = { [GREY]: 1, [RGB]: 3 }[libvips.get('interpretation', image)];
  const isPlain = libvips.get('format', image) === BYTES && (bands === colours || bands - 1 === colours);
  if (!isPlain || width * height > maxPixels) return null;
  const rowBytes = width * bands;
  const stripRows = Math.max(1, Math.floor(STRIP_BYTES / rowBytes / BLOCK_ROWS)) * BLOCK_ROWS;
  const data = new Uint8Array(height * rowBytes);
  const region = libvips.newRegion(image);
  try {
    for (let top = 0; top < height; top += stripRows) {
      const rows = Math.min(stripRows, height - top);
      const strip = libvips.fetch(region, 0, top, width, rows, [0]);
      if (strip === null) return null;
      data.set(new Uint8Array(libvips.view(strip, rows * rowBytes)), top * rowBytes);
      libvips.free(strip);
    }
  } finally {
    libvips.unref(region);
  }
  return { data: firstThree(data, bands), width, height };
}
