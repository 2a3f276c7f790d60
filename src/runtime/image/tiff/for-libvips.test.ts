import sharp from 'sharp';
import { expect, it } from 'vitest';
import { forLibvips } from './for-libvips.js';
import { readTiffTags } from './tiff-tags.js';

const noise = sharp(
  Uint8Array.from({ length: 300 }, (_, i) => i * 7),
  { raw: { width: 10, height: 10, channels: 3 } },
);
const given = (bytes: Uint8Array) => forLibvips(bytes, readTiffTags(bytes), 1000);

it('is the file itself where that is not compressed, and has one page and no tags but the usual', async () => {
  const plain = new Uint8Array(await noise.clone().tiff({ compression: 'none' }).toBuffer());
  expect(given(plain)).toBe(plain);
  const { directory } = readTiffTags(plain);
  // The next page, and a tag that is none of a picture.
  for (const place of [directory.end - 4, directory.begin + 2]) {
    const other = Uint8Array.from(plain);
    other[place] = 1;
    expect(given(other)).not.toBe(other);
  }
  const packed = new Uint8Array(await noise.clone().tiff({ compression: 'packbits' }).toBuffer());
  expect(given(packed)).not.toBe(packed);
});
