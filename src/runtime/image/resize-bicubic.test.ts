import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { plainResize } from '../../../test/runtime/plain-resize.js';
import type { RgbPicture } from './rgb-picture.js';
import { resizeBicubic } from '../../../test/golden/prepare-pixels.js';

type Recorded = [width: number, height: number, toWidth: number, toHeight: number, levels: number, hash: string];
const file = new URL('../../../test/fixtures/pictures/resizes.json', import.meta.url);
const { resizes } = JSON.parse(readFileSync(file, 'utf8')) as { resizes: Recorded[] };

/** As in record_resizes.py. */
function noise(width: number, height: number, levels: number): RgbPicture {
  const data = Uint8Array.from({ length: width * height * 3 }, (_, i) => {
    const byte = Math.imul(i, 2_654_435_761) >>> 24;
    return levels === 256 ? byte : (byte >>> 7) * 255;
  });
  return { data, width, height };
}

describe('resizeBicubic', () => {
  it.each(resizes)(
    'equals Pillow from %i x %i to %i x %i, %i levels',
    (width, height, toWidth, toHeight, levels, hash) => {
      const { data, ...size } = resizeBicubic(noise(width, height, levels), toWidth, toHeight);
      expect(size).toEqual({ width: toWidth, height: toHeight });
      expect(createHash('sha256').update(data).digest('hex').slice(0, 16)).toBe(hash);
    },
  );

  it('equals the plain way to say it for any picture', () => {
    const side = fc.oneof(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 90 }));
    const picture = fc
      .tuple(side, side)
      .chain(([width, height]) =>
        fc
          .uint8Array({ minLength: width * height * 3, maxLength: width * height * 3 })
          .map((data): RgbPicture => ({ data, width, height })),
      );
    fc.assert(
      fc.property(picture, side, side, (source, width, height) => {
        expect(resizeBicubic(source, width, height)).toEqual(plainResize(source, width, height));
      }),
    );
  });

  it('gives the same however much was resized before it', () => {
    const small = noise(37, 23, 256);
    const before = resizeBicubic(small, 30, 30);
    resizeBicubic(noise(3000, 2500, 2), 700, 2);
    expect(resizeBicubic(small, 30, 30)).toEqual(before);
  });
});
