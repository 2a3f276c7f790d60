import type { PictureFormat } from './picture-format.js';

/** Who of libvips speaks of pictures of one format alone. */
const SPEAKERS: readonly (readonly [PictureFormat, RegExp])[] = [
  ['JPEG', /^VipsJpeg: /],
  ['PNG', /^vipspng: /],
  ['WebP', /^webp\w*: /],
];
const FROM_SHARP = /^Input buffer has corrupt header:\s*/;

/**
 * What is wrong with a picture. libvips collects its words in one place for all threads, where sharp finds those about the pictures of
 * other threads, too, or none: "Unknown error".
 * @param message of an error, also of one that is not sharp's
 */
export function damageReason(message: string, format: PictureFormat | undefined): string {
  const lines = message.split('\n').map((line) => line.replace(FROM_SHARP, '').trim());
  const isOwn = (line: string): boolean => {
    const speaker = SPEAKERS.find(([, begins]) => begins.test(line));
    return line !== '' && line !== 'Unknown error' && (speaker === undefined || speaker[0] === format);
  };
  return lines.findLast(isOwn) ?? 'it is damaged';
}
