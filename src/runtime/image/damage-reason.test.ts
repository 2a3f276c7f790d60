import { expect, it } from 'vitest';
import { damageReason } from './damage-reason.js';

it.each([
  ['VipsJpeg: premature end of JPEG image', 'JPEG', 'VipsJpeg: premature end of JPEG image'],
  ['Input buffer has corrupt header: webp: unable to parse image', 'WebP', 'webp: unable to parse image'],
  // Of another thread's picture, before and after.
  [
    'Input buffer has corrupt header: VipsJpeg: Bogus marker length\nwebp: unable to parse image\n',
    'JPEG',
    'VipsJpeg: Bogus marker length',
  ],
  ['vipspng: libpng read error\nwebp2vips: unable to read pixels', 'WebP', 'webp2vips: unable to read pixels'],
  ['webp2vips: unable to read pixels', 'PNG', 'it is damaged'],
  ['Unknown error', 'PNG', 'it is damaged'],
  ['Input buffer has corrupt header: ', 'WebP', 'it is damaged'],
  ['', 'TIFF', 'it is damaged'],
  ['it ends within its header', 'JPEG', 'it ends within its header'],
  ['TIFFFillStrip: Read error at scanline 4', 'TIFF', 'TIFFFillStrip: Read error at scanline 4'],
] as const)('%j of a %s: %s', (message, format, reason) => {
  expect(damageReason(message, format)).toBe(reason);
});
