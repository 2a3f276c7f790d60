import sharp from 'sharp';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { decodedHere, decodeHere, libvipsPath } from './libvips-here.js';

const isLinux = process.platform === 'linux';
const LIMIT = 10_000_000;

/** Levels that differ from pixel to pixel. */
const noise = (width: number, height: number, channels: 1 | 2 | 3 | 4, seed = 1) =>
  sharp(
    Uint8Array.from({ length: width * height * channels }, (_, i) => (i * 2654435761 * seed) >>> 24),
    { raw: { width, height, channels } },
  );

async function bySharp(bytes: Uint8Array): Promise<Buffer> {
  return sharp(bytes).removeAlpha().toColourspace('srgb').raw().toBuffer();
}

it.each([
  ['/usr/lib/libvips-cpp.so.42', ''],
  ['/home/a b/Jürgen 图/libvips-cpp.so.8.18.7', ''],
  [undefined, ' (deleted)'],
])('finds libvips among what is loaded: %s%s', (found, after) => {
  const line = (path: string) => `7f00-7f01 r-xp 00000000 08:01 1234                       ${path}\n`;
  const path = found ?? '/usr/lib/libvips-cpp.so.42';
  expect(libvipsPath(`${line('/usr/lib/libc.so.6')}${line(path + after)}${line('[heap]')}`)).toBe(found);
});

it('decodes nothing before it is told to', async () => {
  // Other files of this process may have told it.
  vi.resetModules();
  const fresh = await import('./libvips-here.js');
  const bytes = await noise(8, 8, 3).png().toBuffer();
  expect(fresh.decodedHere(bytes, LIMIT)).toBeNull();
  expect(await fresh.decodeHere()).toBe(isLinux);
  expect(fresh.decodedHere(bytes, LIMIT) !== null).toBe(isLinux);
});

describe.runIf(isLinux)('libvips in this thread', () => {
  beforeAll(decodeHere);

  it.each([
    // Three strips, of which the last is short.
    ['a JPEG', async () => noise(700, 150, 3).jpeg().toBuffer()],
    ['a progressive JPEG', async () => noise(321, 243, 3).jpeg({ progressive: true }).toBuffer()],
    ['a row that is longer than a strip', async () => noise(60_000, 17, 3).png().toBuffer()],
    ['grey levels', async () => noise(40, 30, 1).toColourspace('b-w').jpeg().toBuffer()],
    ['grey levels with alpha', async () => noise(40, 30, 2).toColourspace('b-w').png().toBuffer()],
    ['alpha', async () => noise(40, 30, 4).png().toBuffer()],
    ['WebP', async () => noise(300, 200, 4).webp({ lossless: true }).toBuffer()],
  ])('gives the pixels that sharp gives: %s', async (_, made) => {
    const bytes = await made();
    const { width, height } = await sharp(bytes).metadata();
    const picture = decodedHere(bytes, LIMIT);
    expect(picture).toMatchObject({ width, height });
    expect(Buffer.from(picture?.data ?? []).equals(await bySharp(bytes))).toBe(true);
  });

  it('leaves other kinds, larger pictures and damaged files to sharp', async () => {
    const whole = await noise(64, 64, 3).jpeg().toBuffer();
    expect(decodedHere(whole, 64 * 64)).not.toBeNull();
    expect(decodedHere(whole, 64 * 64 - 1)).toBeNull();
    expect(decodedHere(await noise(8, 8, 3).toColourspace('rgb16').png().toBuffer(), LIMIT)).toBeNull();
    expect(decodedHere(await noise(8, 8, 4).toColourspace('cmyk').jpeg().toBuffer(), LIMIT)).toBeNull();
    expect(decodedHere(Buffer.from('no picture'), LIMIT)).toBeNull();
    expect(decodedHere(new Uint8Array(), LIMIT)).toBeNull();
    const png = await noise(64, 64, 3).png().toBuffer();
    expect(decodedHere(png.subarray(0, png.length / 2), LIMIT)).toBeNull();
  });

  it('reads what lies in the memory that it is given, and not what lay there before', async () => {
    const [first, second] = await Promise.all([2, 3].map((seed) => noise(20, 20, 3, seed).raw().toBuffer()));
    const file = (data: Buffer | undefined) =>
      sharp(data, { raw: { width: 20, height: 20, channels: 3 } })
        .png({ compressionLevel: 0 })
        .toBuffer();
    const bytes = await file(first);
    expect(decodedHere(bytes, LIMIT)?.data).toEqual(new Uint8Array(first ?? []));
    bytes.set(await file(second));
    expect(decodedHere(bytes, LIMIT)?.data).toEqual(new Uint8Array(second ?? []));
  });
});
